"""How sure percepts really are: fitted on examples whose truth is known, and judged on those that the fit did not see.

A temperature alone cannot make some senses' scores honest: speech by an unknown voice is over-confident where it is
doubtful and under-confident where it is clear. So it is followed by a monotone curve from best score to accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from scipy.optimize import isotonic_regression, minimize_scalar

from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.corrections.confidence import Confidence, SubsetConfidence, network_sha256
from edgefuse.runtime.corrections.measured import BY, Measured
from edgefuse.runtime.errors import CalibrationError

FEWEST_EXAMPLES = 100
WANTED_PRECISION = 0.95
BINS = 15
FOLDS = 5
_STRETCHES = 4

_FEWEST_PER_KNOT = 25
_TEMPERATURES = (0.05, 20.0)
_NEARLY = 1e-7  # of the logarithm of a temperature that is kept with four digits
_DOUBTFUL = 0.5  # what is more likely wrong than right is never certain
_SURE_Z = 1.2816  # of a one-sided bound that holds in 90 % of cases

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What the fusion says of examples whose truth is known: scores (examples, classes), labels int (examples,)."""

    scores: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Fit:
    """What turns scores into a confidence."""

    temperature: float
    curve: Curve
    threshold: float | None

    def confidences(self, scores: np.ndarray) -> np.ndarray:
        """Of the best class of each row of scores (examples, classes)."""
        return follow(self.curve, temper(scores, self.temperature).max(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Of one subset of senses, each (examples,): how sure before and after, the latter by fits that did not see it."""

    subset: SubsetConfidence
    before: np.ndarray
    after: np.ndarray
    right: np.ndarray


@dataclass(frozen=True, slots=True)
class ConfidenceCalibration:
    """What was measured: `confidence` to be written, and the examples' part in it, by subset."""

    confidence: Confidence
    judgements: tuple[Judgement, ...]


def calibrate_confidence(
    scored: Mapping[tuple[str, ...], Scored],
    manifest: Manifest,
    how: str,
    precision: float = WANTED_PRECISION,
    at: str | None = None,
) -> ConfidenceCalibration:
    """Measure a bundle's confidence from what it says of examples, by the subset of senses that they were given to.

    The examples must be none that the network was trained on. `how` says what they are; `at` is when: now. Raises
    CalibrationError where they are too few.
    """
    judgements = [judge_subset(senses, one.scores, one.labels, precision) for senses, one in scored.items()]
    at = at or datetime.now(timezone.utc).isoformat(timespec="seconds")
    measured = Measured(at=at, by=BY, how=how)
    confidence = Confidence(
        measured=measured,
        bundle=manifest.name,
        network_sha256=network_sha256(manifest),
        wanted_precision=precision,
        subsets=tuple(judgement.subset for judgement in judgements),
    )
    return ConfidenceCalibration(confidence, tuple(judgements))


def judge_subset(senses: tuple[str, ...], scores: np.ndarray, labels: np.ndarray, precision: float) -> Judgement:
    """Fit on all examples; judge by fits on four fifths of them what the other fifth is then."""
    check_evidence(scores, labels)
    right, before = scores.argmax(axis=1) == labels, scores.max(axis=1)
    after, certain = np.zeros(len(labels)), np.zeros(len(labels), bool)
    for fold in range(FOLDS):
        held = folds_of(len(labels)) == fold
        fitted = fit_confidence(scores[~held], labels[~held], precision)
        after[held] = fitted.confidences(scores[held])
        certain[held] = fitted.threshold is not None and after[held] >= fitted.threshold
    fit = fit_confidence(scores, labels, precision)
    subset = SubsetConfidence(
        senses=senses,
        examples=len(labels),
        temperature=fit.temperature,
        curve=fit.curve,
        threshold=fit.threshold,
        precision=round(float(right[certain].mean()), 4) if certain.any() else None,
        coverage=round(float(certain.mean()), 4),
        ece_before=round(calibration_error(before, right), 4),
        ece_after=round(calibration_error(after, right), 4),
    )
    return Judgement(subset, before, after, right)


def folds_of(examples: int) -> np.ndarray:
    """Which fold each example is in: stretches of them in turn, since neighbours in a recording are alike."""
    return np.asarray(np.arange(examples) * FOLDS * _STRETCHES // examples % FOLDS)


def check_evidence(scores: np.ndarray, labels: np.ndarray) -> None:
    """Raises CalibrationError unless there are enough examples, each with its scores."""
    if len(labels) < FEWEST_EXAMPLES:
        raise CalibrationError(f"{len(labels)} labelled examples, {FEWEST_EXAMPLES} at least to measure confidence")
    if scores.ndim != 2 or len(scores) != len(labels) or not np.isfinite(scores).all():
        raise CalibrationError(f"scores {list(scores.shape)} do not go with {len(labels)} labels, or are no numbers")
    if min(labels) < 0 or max(labels) >= scores.shape[1]:
        raise CalibrationError(f"a label is none of the {scores.shape[1]} classes")


def fit_confidence(scores: np.ndarray, labels: np.ndarray, precision: float) -> Fit:
    """From scores (examples, classes) and labels (examples,)."""
    temperature = fit_temperature(scores, labels)
    right = scores.argmax(axis=1) == labels
    best = temper(scores, temperature).max(axis=1)
    curve = fit_curve(best, right)
    return Fit(temperature, curve, fit_threshold(follow(curve, best), right, precision))


def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of least negative log-likelihood, searched over its logarithm."""
    exact = scores.astype(np.float64)

    def loss(log_temperature: float) -> float:
        likelihood = temper(exact, np.exp(log_temperature))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(likelihood, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded", options={"xatol": _NEARLY})
    return round(float(np.exp(found.x)), 4)


def temper(scores: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log scores / temperature) over the last axis, in the dtype of `scores`; the order stays."""
    powers = (scores / scores.max(axis=-1, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), scores.dtype)


def follow(curve: Curve, best_scores: np.ndarray) -> np.ndarray:
    """How often percepts of these best scores are right."""
    scores, shares = zip(*curve, strict=True)
    return np.asarray(np.interp(best_scores, scores, shares))


def fit_curve(best: np.ndarray, right: np.ndarray) -> Curve:
    """From best score to accuracy: equally full bins, neighbours that fall pooled (isotonic regression).

    Bins, so that the file stays readable. It begins at (0, 0), so that the lowest scores are told apart as well.
    """
    order = np.argsort(best, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(best) // _FEWEST_PER_KNOT)))
    shares = isotonic_regression([right[rows].mean() for rows in bins], weights=[len(rows) for rows in bins]).x
    knots = {0.0: 0.0}
    for rows, share in zip(bins, shares, strict=True):
        knots[round(float(best[rows].mean()), 4)] = round(float(share), 4)
    return tuple(knots.items())


def fit_threshold(confidence: np.ndarray, right: np.ndarray, precision: float) -> float | None:
    """The lowest confidence from which on percepts are right as often as wanted, and not by luck; None: there is none.

    The lower end of Wilson's interval (1927) has to reach `precision`, so that fresh examples keep it in 9 cases of 10.
    It is never below 0.5: what is more likely wrong than right is not certain, however right the others are.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence, count = confidence[order], np.arange(1, len(order) + 1)
    good = wilson_lower(right[order].cumsum(), count) >= precision
    good &= np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)  # equals are certain together
    return max(_DOUBTFUL, float(np.floor(sorted_confidence[good][-1] * 1e6) / 1e6)) if good.any() else None


def wilson_lower(hits: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The lower end of Wilson's score interval for a share, one-sided at 90 %."""
    share, z2 = hits / count, _SURE_Z**2
    spread = _SURE_Z * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return np.asarray((share + z2 / (2 * count) - spread) / (1 + z2 / count))


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3): mean gap of confidence and accuracy over 15 equal bins."""
    bins = bins_of(confidence)
    gaps = [abs(right[bins == one].mean() - confidence[bins == one].mean()) * (bins == one).mean() for one in set(bins)]
    return float(sum(gaps))


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """Which of BINS equal bins each confidence is in."""
    return np.asarray(np.minimum((confidence * BINS).astype(int), BINS - 1))
