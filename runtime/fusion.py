"""The fusion: the senses' tokens in, what they say together out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.engine import Engine
from edgefuse.runtime.manifest import Manifest
from edgefuse.runtime.percept import Percept, Sense, Trace
from edgefuse.runtime.prompts import Prompts
from edgefuse.runtime.tokens import Aligned


@dataclass(frozen=True, slots=True)
class Fused:
    """The fusion graph's outputs for one moment, without the batch; all float32.

    scores (classes,) probabilities; sense_scores (modalities, classes) each sense's own; embedding (dim,) of length 1;
    weights (modalities,) sum 1 over the senses that took part; agreement in 0..1.
    """

    scores: np.ndarray
    sense_scores: np.ndarray
    embedding: np.ndarray
    weights: np.ndarray
    agreement: float


class Fusion:
    """Runs the fusion graph over whichever senses are fit, the others masked out. Used by one thread at a time."""

    def __init__(self, manifest: Manifest, engine: Engine, prompts: Prompts) -> None:
        self.prompts = prompts
        self.engine = engine
        self._names = tuple(modality.name for modality in manifest.modalities)
        self._absent = {
            modality.name: tuple(np.zeros((1, *tensor.shape[1:]), np.float32) for tensor in modality.graph.outputs)
            for modality in manifest.modalities
        }

    def fuse(self, aligned: Mapping[str, Aligned]) -> Fused:
        """What the senses that fit say together. Raises EngineError."""
        fit = {name: one.tokens for name, one in aligned.items() if one.fit}
        inputs = {"present": np.array([[name in fit for name in self._names]]), "prompts": self.prompts.embeddings}
        for name in self._names:
            tokens, embedding = (fit[name].tokens, fit[name].embedding) if name in fit else self._absent[name]
            inputs[f"{name}_tokens"], inputs[f"{name}_embedding"] = tokens, embedding
        outputs = {name: array[0] for name, array in self.engine.run(inputs).items()}
        return Fused(**(outputs | {"agreement": float(outputs["agreement"])}))

    def percept(
        self, fused: Fused, stamp_ns: int, aligned: Mapping[str, Aligned], trace: Callable[[], Trace]
    ) -> Percept:
        """The percept that says it; `trace` is called last, since it takes the time of publishing."""
        labels = self.prompts.labels
        best = int(fused.scores.argmax())
        senses = {name: self._sense(fused, index, aligned.get(name)) for index, name in enumerate(self._names)}
        return Percept(
            stamp_ns=stamp_ns,
            label=labels[best],
            confidence=float(fused.scores[best]),
            scores=dict(zip(labels, fused.scores.tolist(), strict=True)),
            embedding=fused.embedding,
            senses=senses,
            agreement=fused.agreement if sum(sense.valid for sense in senses.values()) > 1 else None,
            trace=trace(),
        )

    def _sense(self, fused: Fused, index: int, aligned: Aligned | None) -> Sense:
        age_ms = None if aligned is None else aligned.age_ns / 1e6
        if aligned is None or not aligned.fit:
            return Sense(valid=False, weight=0.0, age_ms=age_ms, label=None, confidence=None)
        scores = fused.sense_scores[index]
        best = int(scores.argmax())
        return Sense(True, float(fused.weights[index]), age_ms, self.prompts.labels[best], float(scores[best]))
