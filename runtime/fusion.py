"""The fusion: the senses' tokens in, what they say together out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.engine import Engine
from edgefuse.runtime.manifest import Manifest, TensorSpec
from edgefuse.runtime.percept import Percept, Sense, Trace
from edgefuse.runtime.prompts import Prompts
from edgefuse.runtime.tokens import Aligned
from edgefuse.runtime.wiring import PRESENT, PROMPTS, Dim, offered

_FRAME_SIDE = 224
"""Of a frame that an absent camera stands for, until one of it was seen [pixels]: what networks of images take."""


@dataclass(frozen=True, slots=True)
class Fused:
    """The fusion graph's outputs for one moment, without the batch; all float32, None where it has no such output.

    scores (classes,) probabilities; sense_scores (modalities, classes) each sense's own; embedding (dim,) of length 1;
    weights (modalities,) sum 1 over the senses that took part; agreement in 0..1.
    """

    scores: np.ndarray
    sense_scores: np.ndarray | None
    embedding: np.ndarray | None
    weights: np.ndarray | None
    agreement: float | None


class Fusion:
    """Runs the fusion graph over whichever senses are fit, the others masked out. Used by one thread at a time."""

    def __init__(self, manifest: Manifest, engine: Engine, prompts: Prompts) -> None:
        self.prompts = prompts
        self._engine = engine
        self._names = tuple(modality.name for modality in manifest.modalities)
        self._masks = not manifest.needed
        self._absent = absent_inputs(manifest)

    def fuse(self, aligned: Mapping[str, Aligned]) -> Fused:
        """What the senses that fit say together. Raises EngineError."""
        fit = {name: one.tokens.arrays for name, one in aligned.items() if one.fit}
        sensed = {name: array for arrays in fit.values() for name, array in arrays.items() if name in self._absent}
        self._absent |= {name: np.zeros_like(a) for name, a in sensed.items() if a.shape != self._absent[name].shape}
        inputs = self._absent | sensed
        if self._masks:
            inputs[PRESENT] = np.array([[name in fit for name in self._names]])
        if self.prompts.embeddings is not None:
            inputs[PROMPTS] = self.prompts.embeddings
        return _fused(self._engine.run(inputs))

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
        valid = aligned is not None and aligned.fit
        weight = None if fused.weights is None else float(fused.weights[index] if valid else 0.0)
        if fused.sense_scores is None or not valid:
            return Sense(valid, weight, age_ms, label=None, confidence=None)
        scores = fused.sense_scores[index]
        best = int(scores.argmax())
        return Sense(valid, weight, age_ms, self.prompts.labels[best], float(scores[best]))


def _fused(outputs: Mapping[str, np.ndarray]) -> Fused:
    arrays = {name: array[0].astype(np.float32, copy=False) for name, array in outputs.items()}
    return Fused(
        arrays["scores"],
        arrays.get("sense_scores"),
        arrays.get("embedding"),
        arrays.get("weights"),
        float(arrays["agreement"]) if "agreement" in arrays else None,
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
