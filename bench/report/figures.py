"""Figures and ratios from what was timed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgefuse.bench.report.result import Figure, Ratio

_BOOTSTRAPS = 2000
_MANY = 10
_INTERVAL = (2.5, 97.5)


def figure_from(rounds: Sequence[Sequence[float] | np.ndarray]) -> Figure:
    """Of the samples of each round; rounds without any count for nothing."""
    kept = [np.asarray(one, np.float64) for one in rounds if len(one)]
    everything = np.concatenate(kept)
    p50, p90, p95, p99, p999 = np.percentile(everything, (50, 90, 95, 99, 99.9)).tolist()
    return Figure(
        samples=len(everything),
        mean=float(everything.mean()),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        p999=p999,
        curve=tuple(np.round(np.percentile(everything, range(101)), 5).tolist()),
        rounds=tuple(float(np.median(one)) for one in kept),
    )


def ratio_from(rounds: Sequence[float] | np.ndarray, reference: Sequence[float] | np.ndarray) -> Ratio:
    """The median of the ratios of rounds that were measured side by side, with the range of 95 %."""
    ratios = np.log(np.asarray(rounds) / np.asarray(reference))
    low, high = np.exp(np.percentile(_draw_medians(ratios), _INTERVAL))
    return Ratio(value=float(np.exp(np.median(ratios))), low=float(low), high=float(high), rounds=len(ratios))


def percentile_ratio(values: np.ndarray, reference: np.ndarray, percentile: float) -> Ratio:
    """A percentile of `values` over the same of `reference`, which were measured by turns; pairs are resampled."""
    picks = np.random.default_rng(0).integers(0, len(values), (_BOOTSTRAPS, len(values)))
    drawn = np.percentile(values[picks], percentile, axis=1) / np.percentile(reference[picks], percentile, axis=1)
    low, high = np.percentile(drawn, _INTERVAL)
    value = float(np.percentile(values, percentile) / np.percentile(reference, percentile))
    return Ratio(value=value, low=float(low), high=float(high), rounds=len(values))


def compare_rounds(new: Sequence[float], old: Sequence[float]) -> tuple[float, float, float]:
    """New over old of two runs: of the medians over their rounds, with the ends of the range of 95 %."""
    after, before = np.log(new), np.log(old)
    low, high = np.exp(np.percentile(_draw_medians(after, seed=1) - _draw_medians(before, seed=2), _INTERVAL))
    return float(np.exp(np.median(after) - np.median(before))), float(low), float(high)


def _draw_medians(rounds: np.ndarray, seed: int = 0) -> np.ndarray:
    """What the median over rounds might as well have been.

    Of many rounds, by resampling them; that says too little of few, which are taken for normal: Student's t.
    """
    generator = np.random.default_rng(seed)
    count = len(rounds)
    medians = rounds
    if count >= _MANY:
        medians = np.median(rounds[generator.integers(0, count, (_BOOTSTRAPS, count))], axis=1)
    elif count > 1:
        error = rounds.std(ddof=1) / np.sqrt(count)
        medians = np.median(rounds) + error * generator.standard_t(count - 1, _BOOTSTRAPS)
    return medians
