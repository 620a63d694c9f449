"""How far two arrays of outputs agree, and how far they have to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgefuse.runtime.verification import AccuracyCheck, GraphCheck, Precision

END_TO_END = "end to end"

OUTPUTS = ("tokens", "embedding", "scores", "sense_scores", "weights", "agreement")

COSINE_BOUNDS: Mapping[Precision, Mapping[str, float]] = {
    "fp32": dict.fromkeys(OUTPUTS, 0.9999),
    "int8": {"tokens": 0.99, "embedding": 0.99, "scores": 0.95, "sense_scores": 0.95, "weights": 0.95},
}
"""By output: the smallest cosine similarity that is accepted at the 1st percentile of the samples."""

DIFFERENCE_BOUNDS: Mapping[Precision, Mapping[str, float]] = {
    "fp32": dict.fromkeys(OUTPUTS, 1e-3),
    "int8": {"agreement": 0.2},
}
"""By output: the largest absolute difference that is accepted."""

ACCURACY_LOSS = 0.01
"""The largest that is accepted for any subset of senses: one point."""


def graph_checks(
    graph: str, precision: Precision, reference: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]
) -> list[GraphCheck]:
    """One row per output; both sides are arrays (samples, ...) by the output's name."""
    return [graph_check(graph, output, precision, reference[output], found[output]) for output in reference]


def graph_check(graph: str, output: str, precision: Precision, reference: np.ndarray, found: np.ndarray) -> GraphCheck:
    """The row of one output, with the bounds that its precision has to keep."""
    cosines = cosine_similarities(reference, found) if reference.ndim > 1 else None
    return GraphCheck(
        graph=graph,
        output=output,
        precision=precision,
        samples=len(reference),
        cosine_p1=None if cosines is None else float(np.percentile(cosines, 1)),
        cosine_min=None if cosines is None else float(cosines.min()),
        max_abs_difference=float(np.abs(reference.astype(np.float64) - found).max()),
        cosine_bound=None if cosines is None else COSINE_BOUNDS.get(precision, {}).get(output),
        difference_bound=DIFFERENCE_BOUNDS.get(precision, {}).get(output),
    )


def cosine_similarities(reference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Per sample, over all its values: (samples, ...) twice -> float64 (samples,); 1 where both are zero."""
    left, right = (array.reshape(len(array), -1).astype(np.float64) for array in (reference, found))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    alike_zero = ~left.any(axis=1) & ~right.any(axis=1)
    return np.where(alike_zero, 1.0, (left * right).sum(axis=1) / np.maximum(norms, 1e-30))


def accuracy_check(
    senses: tuple[str, ...], labels: np.ndarray, reference: np.ndarray, found: np.ndarray
) -> AccuracyCheck:
    """The row of one subset of senses; labels int64 (samples,), both scores (samples, classes)."""
    return AccuracyCheck(
        senses=senses,
        samples=len(labels),
        checkpoint=float((reference.argmax(axis=1) == labels).mean()),
        bundle=float((found.argmax(axis=1) == labels).mean()),
        loss_bound=ACCURACY_LOSS,
    )
