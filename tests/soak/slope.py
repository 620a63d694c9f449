"""Whether a figure that was read again and again rises or falls, or only wavers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_CONFIDENCE = 0.99
"""Of one figure among half a dozen: one in twenty would be wrong in every third soak."""


@dataclass(frozen=True, slots=True)
class Slope:
    """By how much a figure changes per hour, and the 99 % confidence interval of that."""

    per_hour: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`rises`, `falls` or `steady`."""
        return "rises" if self.low > 0 else "falls" if self.high < 0 else "steady"


def slope_from(times_s: Sequence[float], values: Sequence[float]) -> Slope:
    """Least squares over at least 4 readings.

    Readings that follow each other closely, such as those after a step, count as fewer: Santer et al., Statistical
    significance of trends and trend differences in layer-average atmospheric temperature time series, 2000.
    """
    hours, figures = np.asarray(times_s) / 3600, np.asarray(values, float)
    hours, figures = hours - hours.mean(), figures - figures.mean()
    spread = hours @ hours
    slope = hours @ figures / spread
    residuals = figures - slope * hours
    freedom = max(_independent(residuals) - 2, 1.0)
    error = np.sqrt(residuals @ residuals / freedom / spread)
    margin = stats.t.ppf((1 + _CONFIDENCE) / 2, freedom) * error
    return Slope(float(slope), float(slope - margin), float(slope + margin))


def _independent(residuals: np.ndarray) -> float:
    """How many independent readings these are worth."""
    power = residuals @ residuals
    follow = np.clip(residuals[1:] @ residuals[:-1] / power, 0.0, 0.99) if power > 0 else 0.0
    return float(len(residuals) * (1 - follow) / (1 + follow))
