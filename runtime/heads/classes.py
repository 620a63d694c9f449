"""The head of classes: which of them is there, how sure, and which sense says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.corrections.confidence import Confidence, SubsetConfidence, judge
from edgefuse.runtime.heads.prompts import Prompts
from edgefuse.runtime.percept import Percept, Sense, Trace
from edgefuse.runtime.senses.tokens import Aligned


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


class Classes:
    """Makes percepts of what the fusion graph gave, over the classes that are named now."""

    def __init__(self, manifest: Manifest, prompts: Prompts, confidence: Confidence | None = None) -> None:
        self.prompts = prompts
        self._names = tuple(modality.name for modality in manifest.modalities)
        self._confidence = confidence
        self._measured: dict[tuple[str, ...], SubsetConfidence | None] = {}

    def percept(
        self, fused: Fused, stamp_ns: int, aligned: Mapping[str, Aligned], strange: bool, trace: Callable[[], Trace]
    ) -> Percept:
        """The percept that says it; `trace` is called last, since it takes the time of publishing.

        `strange`: a sense that took part met what the bundle was not made for, so confidence was not measured for it.
        """
        prompts, fit = self.prompts, fused.fit
        judged = judge(fused.scores, self._measured_for(fit) if prompts.own else None)
        label = prompts.labels[fused.scores.index(max(fused.scores))]
        return Percept(
            stamp_ns=stamp_ns,
            label=label,
            confidence=judged.confidence,
            scores=dict(zip(prompts.labels, judged.scores, strict=True)),
            embedding=fused.embedding,
            senses={name: self._sense(fused, index, aligned.get(name)) for index, name in enumerate(self._names)},
            agreement=fused.agreement if len(fit) > 1 else None,
            certain=judged.certain and not strange,
            frame_id=next((frame_id for name in fit if (frame_id := aligned[name].tokens.evidence.frame_id)), ""),
            far_prompt=None if prompts.far is None else label in prompts.far,
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


def fused_from_outputs(fit: tuple[str, ...], outputs: Mapping[str, np.ndarray]) -> Fused:
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
