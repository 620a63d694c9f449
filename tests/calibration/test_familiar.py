"""A drift is told from the same: vectors of the set's own kind stay low, shifted ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from edgefuse.calibration.familiar import familiar_from
from edgefuse.runtime.heads.drift import direction, nearest


def encodings(samples: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Tokens (samples, 4, 16) of five kinds of things; `shift` turns them all the same way."""
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(99).normal(0, 1, (5, 1, 16))
    beside = np.random.default_rng(98).normal(0, 1, 16)
    return (kinds[rng.integers(0, 5, samples)] + rng.normal(0, 0.2, (samples, 4, 16)) + shift * beside).astype(
        np.float32
    )


def mean_strangeness(tokens: np.ndarray) -> float:
    familiar = familiar_from({"image": {"tokens": encodings(400, seed=1)}}, "made up")
    assert familiar is not None
    (usual,) = familiar.outputs
    centres = np.array(usual.centres, np.float32)
    return float(((nearest(direction(tokens), centres) - usual.distance) / usual.distance_sd).mean())


def test_more_of_the_same_is_no_drift() -> None:
    assert abs(mean_strangeness(encodings(400, seed=2))) < 0.5


def test_one_thing_for_long_is_no_drift() -> None:
    assert mean_strangeness(np.repeat(encodings(1, seed=3), 100, axis=0)) < 2.5


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_a_shift_is_a_drift(shift: float) -> None:
    assert mean_strangeness(encodings(400, seed=2, shift=shift)) > 3


def test_there_is_nothing_to_say_of_a_few_samples() -> None:
    assert familiar_from({"image": {"tokens": encodings(31, seed=1)}}, "made up") is None
    assert familiar_from({}, "made up") is None
