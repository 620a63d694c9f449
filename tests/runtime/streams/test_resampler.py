"""The resampler keeps count of the samples."""

import numpy as np
import pytest

from edgefuse.runtime.streams.resampler import Resampler


def pushed(resampler: Resampler, pcm: np.ndarray, start: int = 0) -> list[tuple[int, np.ndarray]]:
    """All that comes out when blocks of 20 ms go in."""
    block = resampler.source_hz // 50
    return [resampler.resample(start + at, pcm[at : at + block]) for at in range(0, len(pcm), block)]


@pytest.mark.parametrize("source_hz", [16_000, 44_100, 48_000])
def test_a_click_keeps_its_time(source_hz):
    pcm = np.zeros(source_hz, np.float32)
    pcm[source_hz // 2] = 1.0
    parts = pushed(Resampler(source_hz, 16_000), pcm)
    out = np.concatenate([part for _, part in parts])
    assert np.argmax(out) == 8000
    lengths = np.cumsum([0, *(len(part) for _, part in parts)])
    assert [index for index, _ in parts] == lengths[:-1].tolist()


def test_a_gap_stays_a_gap():
    resampler = Resampler(48_000, 16_000)
    before = pushed(resampler, np.ones(48_000, np.float32))
    after = pushed(resampler, np.ones(48_000, np.float32), start=96_000)
    end = before[-1][0] + len(before[-1][1])
    assert end <= 16_000
    assert after[0][0] == 32_000
    assert after[-1][0] + len(after[-1][1]) <= 48_000
