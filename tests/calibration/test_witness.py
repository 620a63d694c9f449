"""What a sync is measured on goes on, and is of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from edgefuse.calibration.witness import Witness
from edgefuse.runtime import AudioChunk, CalibrationError, Frame

MS = 1_000_000


def heard(*chunks: tuple[int, int], values: float = 0.1) -> Witness:
    """Of chunks of 100 ms, by stamp [ms] and index."""
    witness = Witness()
    for stamp_ms, index in chunks:
        witness.take(AudioChunk(stamp_ms * MS, np.full(1600, values, np.float32), 16_000, index))
    return witness


def test_sound_that_goes_on_is_heard_and_what_was_lost_is_silence() -> None:
    sound = heard((0, 0), (100, 1600), (300, 4800)).heard()
    assert len(sound.pcm) == 6400
    assert not sound.pcm[3200:4800].any()


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        (((0, 0), (100, 1600), (200, 0)), "begins anew"),
        (((0, 0), (100, 2**40)), "counts"),
        (((0, 0), (10_000, 1600)), "counts"),
    ],
)
def test_a_count_that_does_not_go_on_as_time_does_is_refused_and_takes_no_memory(
    chunks: tuple[tuple[int, int], ...], said: str
) -> None:
    with pytest.raises(CalibrationError, match=said):
        heard(*chunks).heard()


def test_samples_that_make_no_sense_are_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    witness = heard((0, 0), (100, 1600), values=np.nan)
    witness.take(Frame(0, np.zeros((4, 4), np.uint8)))
    assert witness.refused == 3
    assert caplog.text.count("was skipped") == 1
    with pytest.raises(CalibrationError, match="nothing was heard"):
        witness.heard()
