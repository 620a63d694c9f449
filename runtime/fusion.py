"""The fusion: the senses' tokens in, what they say together out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.bundle.manifest import Manifest, TensorSpec
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS, Dim, offered
from edgefuse.runtime.corrections.confidence import Confidence, SubsetConfidence, judge
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.heads.prompts import Prompts
from edgefuse.runtime.percept import Percept, Sense, Trace
from edgefuse.runtime.senses.tokens import Aligned

_FRAME_SIDE = 224
"""Of a frame that an absent camera stands for, until one of it was seen [pixels]: what networks of images take."""


@dataclass(frozen=True, slots=True)
class Fused:
    """The fusion graph's outputs for one moment, without the batch; None where it has no such output.

    scores by class, probabilities; sense_scores by modality and class, each sense's own; embedding float32 (dim,) of
    length 1; weights by modality, sum 1 over the senses that took part, `fit`; agreement in 0..1.
    """

    fit: tuple[str, ...]

    scores: list[float]
    sense_scores: list[list[float]] | None
    embedding: np.ndarray | None
    weights: list[float] | None
    agreement: float | None


class Fusion:
    """Runs the fusion graph over whichever senses are fit, the others masked out. Used by one thread at a time."""

    def __init__(
        self, manifest: Manifest, engine: Engine, prompts: Prompts, confidence: Confidence | None = None
    ) -> None:
        self.prompts = prompts
        self._confidence = confidence
        self._engine = engine
        self._names = tuple(modality.name for modality in manifest.modalities)
        self._masks = not manifest.needed
        self._absent = absent_inputs(manifest)
        self._present: dict[tuple[str, ...], np.ndarray] = {}
        self._measured: dict[tuple[str, ...], SubsetConfidence | None] = {}

    def fuse(self, aligned: Mapping[str, Aligned]) -> Fused:
        """What the senses that fit say together. Raises EngineError."""
        inputs = self._absent.copy()
        fit = tuple([name for name, one in aligned.items() if one.fit])
        for name in fit:
            self._replace_absent(inputs, aligned[name].tokens.arrays)
        if self._masks:
            inputs[PRESENT] = self._mask(fit)
        if self.prompts.embeddings is not None:
            inputs[PROMPTS] = self.prompts.embeddings
        return _fused(fit, self._engine.run(inputs))

    def _replace_absent(self, inputs: dict[str, np.ndarray], sensed: Mapping[str, np.ndarray]) -> None:
        """By what was sensed, as far as the network takes it; from then on the sense is absent in that shape."""
        for name, array in sensed.items():
            if name in inputs:
                if array.shape != inputs[name].shape:
                    self._absent[name] = np.zeros_like(array)
                inputs[name] = array

    def _mask(self, fit: tuple[str, ...]) -> np.ndarray:
        if fit not in self._present:
            self._present[fit] = np.array([[name in fit for name in self._names]])
        return self._present[fit]

    def percept(
        self, fused: Fused, stamp_ns: int, aligned: Mapping[str, Aligned], strange: bool, trace: Callable[[], Trace]
    ) -> Percept:
        """The percept that says it; `trace` is called last, since it takes the time of publishing.

        `strange`: a sense that took part met what the bundle was not made for, so confidence was not measured for it.
        """
        labels, fit = self.prompts.labels, fused.fit
        judged = judge(fused.scores, self._measured_for(fit))
        return Percept(
            stamp_ns=stamp_ns,
            label=labels[fused.scores.index(max(fused.scores))],
            confidence=judged.confidence,
            scores=dict(zip(labels, judged.scores, strict=True)),
            embedding=fused.embedding,
            senses={name: self._sense(fused, index, aligned.get(name)) for index, name in enumerate(self._names)},
            agreement=fused.agreement if len(fit) > 1 else None,
            certain=judged.certain and not strange,
            frame_id=next((frame_id for name in fit if (frame_id := aligned[name].tokens.evidence.frame_id)), ""),
            trace=trace(),
        )

    def _measured_for(self, fit: tuple[str, ...]) -> SubsetConfidence | None:
        """How sure these senses are; found once, since there are few subsets and many percepts."""
        if fit not in self._measured:
            self._measured[fit] = None if self._confidence is None else self._confidence.of(fit)
        return self._measured[fit]

    def _sense(self, fused: Fused, index: int, aligned: Aligned | None) -> Sense:
        age_ms = None if aligned is None else aligned.age_ns / 1e6
        valid = aligned is not None and aligned.fit
        weight = None if fused.weights is None else fused.weights[index] if valid else 0.0
        if fused.sense_scores is None or not valid:
            return Sense(valid, weight, age_ms, label=None, confidence=None)
        scores = fused.sense_scores[index]
        best = max(scores)
        return Sense(valid, weight, age_ms, self.prompts.labels[scores.index(best)], best)


def _fused(fit: tuple[str, ...], outputs: Mapping[str, np.ndarray]) -> Fused:
    values = {name: array.tolist()[0] for name, array in outputs.items() if name != "embedding"}
    embedding = outputs.get("embedding")
    return Fused(
        fit,
        values["scores"],
        values.get("sense_scores"),
        None if embedding is None else embedding[0].astype(np.float32, copy=False),
        values.get("weights"),
        values.get("agreement"),
    )


def absent_inputs(manifest: Manifest) -> dict[str, np.ndarray]:
    """By input of the fusion graph: the zeros that an absent sense is given as."""
    shapes = {name: shape for modality in manifest.modalities for name, (_, shape) in offered(modality).items()}
    inputs = [tensor for tensor in manifest.fusion.inputs if tensor.name in shapes]
    return {tensor.name: _zeros(tensor, shapes[tensor.name]) for tensor in inputs}


def _zeros(tensor: TensorSpec, sensed: tuple[Dim, ...]) -> np.ndarray:
    sizes = zip(tensor.shape[1:], sensed[1:], strict=True)
    return np.zeros((1, *(_size(declared, given) for declared, given in sizes)), tensor.dtype)


def _size(declared: Dim, given: Dim) -> int:
    """Of one dimension, by the fusion graph or else by the sense; where both leave it open, any that works."""
    for size in (declared, given):
        if isinstance(size, int):
            return size
    return _FRAME_SIDE if given in ("height", "width") else 1
