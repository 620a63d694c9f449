"""A slope is told from wavering, also where the readings are few, equal or come in steps."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from slope import Slope, slope_from

MINUTES_S = np.arange(55) * 60.0


@pytest.mark.parametrize("per_hour", [-3.0, 3.0])
def test_what_grows_or_shrinks_evenly_is_found(per_hour: float):
    wavering = np.random.default_rng(0).normal(0, 0.5, len(MINUTES_S))
    slope = slope_from(MINUTES_S, 200 + per_hour * MINUTES_S / 3600 + wavering)
    assert slope.low < per_hour < slope.high
    assert slope.verdict == ("rises" if per_hour > 0 else "falls")


def test_equal_readings_are_steady():
    assert slope_from(MINUTES_S, [31] * len(MINUTES_S)) == Slope(0.0, 0.0, 0.0)
    assert Slope(0.0, 0.0, 0.0).verdict == "steady"


def test_one_percent_of_what_only_wavers_is_said_to_change():
    rng = np.random.default_rng(0)
    verdicts = [slope_from(MINUTES_S, rng.normal(200, 1, len(MINUTES_S))).verdict for _ in range(1000)]
    assert 1000 - verdicts.count("steady") < 25


def test_a_single_step_is_no_slope():
    """As when an allocator takes one more piece; a leak takes one after another."""
    assert slope_from(MINUTES_S, np.where(MINUTES_S < 1800, 200.0, 201.0)).verdict == "steady"
    assert slope_from(MINUTES_S, 200 + MINUTES_S // 300).verdict == "rises"
