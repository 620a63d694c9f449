"""How far two arrays of outputs agree, and how far they have to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.stats import rankdata

from edgefuse.runtime.bundle.verification import AccuracyCheck, AlignmentCheck, GraphCheck, Precision
from edgefuse.runtime.engines.selftest import cosine_similarities

END_TO_END = "end to end"
FUSED = "fusion"

OUTPUTS = ("tokens", "embedding", "scores", "sense_scores", "weights", "agreement")

COSINE_BOUNDS: Mapping[Precision, Mapping[str, float]] = {
    "fp32": dict.fromkeys(OUTPUTS, 0.9999),
    "fp16": {"tokens": 0.999, "embedding": 0.999, "scores": 0.99, "sense_scores": 0.99, "weights": 0.99},
    "int8": {"tokens": 0.99, "embedding": 0.99, "scores": 0.95, "sense_scores": 0.95, "weights": 0.95},
}
"""By output: the smallest cosine similarity that is accepted at the 1st percentile of the samples."""

DIFFERENCE_BOUNDS: Mapping[Precision, Mapping[str, float]] = {
    "fp32": dict.fromkeys(OUTPUTS, 1e-3),
    "fp16": {"agreement": 0.05},
    "int8": {"agreement": 0.2},
}
"""By output: the largest absolute difference that is accepted, times the largest value if that is over 1."""

ACCURACY_LOSS = 0.005
"""The largest that is accepted for any subset of senses: half a point, and one example more, which is no evidence."""

RANK_AGREEMENT = 0.98
"""The smallest mean rank correlation of prompts that is accepted."""

Metric = Callable[[np.ndarray, np.ndarray], float]


def graph_checks(
    graph: str, precision: Precision, reference: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]
) -> list[GraphCheck]:
    """One row per output; both sides are arrays (samples, ...) by the output's name."""
    return [graph_check(graph, output, precision, reference[output], found[output]) for output in reference]


def graph_check(graph: str, output: str, precision: Precision, reference: np.ndarray, found: np.ndarray) -> GraphCheck:
    """The row of one output, with the bounds that its precision has to keep."""
    cosines = cosine_similarities(reference, found) if reference.ndim > 1 else None
    difference_bound = DIFFERENCE_BOUNDS[precision].get(output)
    if difference_bound is not None:
        difference_bound = float(f"{difference_bound * max(1.0, float(np.abs(reference).max())):.2g}")
    return GraphCheck(
        graph=graph,
        output=output,
        precision=precision,
        samples=len(reference),
        cosine_p1=None if cosines is None else float(np.percentile(cosines, 1)),
        cosine_min=None if cosines is None else float(cosines.min()),
        max_abs_difference=float(np.abs(reference.astype(np.float64) - found).max()),
        cosine_bound=None if cosines is None else COSINE_BOUNDS[precision].get(output),
        difference_bound=difference_bound,
    )


def accuracy_check(
    senses: tuple[str, ...],
    labels: np.ndarray,
    reference: np.ndarray,
    found: np.ndarray,
    metric: Metric | None = None,
) -> AccuracyCheck:
    """The row of one subset of senses; labels int64 (samples,), both scores (samples, classes)."""
    measure = metric or right_guesses
    return AccuracyCheck(
        senses=senses,
        samples=len(labels),
        checkpoint=float(measure(reference, labels)),
        bundle=float(measure(found, labels)),
        loss_bound=ACCURACY_LOSS + 1 / len(labels),
    )


def right_guesses(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of samples whose highest score is their label's."""
    return float((scores.argmax(axis=1) == labels).mean())


def alignment_check(
    sense: str, reference: tuple[np.ndarray, np.ndarray], found: tuple[np.ndarray, np.ndarray]
) -> AlignmentCheck:
    """The row of one sense: embeddings (samples, dim) and prompts (classes, dim), of PyTorch and of the bundle."""
    agreement = rank_agreement(_cosines(*reference), _cosines(*found))
    return AlignmentCheck(
        sense=sense,
        samples=len(reference[0]),
        prompts=len(reference[1]),
        rank_agreement=min(1.0, float(agreement.mean())),
        bound=RANK_AGREEMENT,
    )


def rank_agreement(reference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each pair of rows: (samples, prompts) twice -> (samples,); 1 of two without order.

    The correlation of ranks, tied ones averaged (Spearman 1904).
    """
    left, right = (
        ranks - ranks.mean(axis=1, keepdims=True) for ranks in (rankdata(reference, axis=1), rankdata(found, axis=1))
    )
    return cosine_similarities(left, right)


def _cosines(embeddings: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    units = [array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12) for array in (embeddings, prompts)]
    return np.asarray(units[0] @ units[1].T)
