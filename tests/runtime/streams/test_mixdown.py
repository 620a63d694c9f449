"""What several channels hold is not lost in their mean without a word."""

import logging

import numpy as np
import pytest
import soundfile

from edgefuse.runtime import Clip, SampleError
from edgefuse.runtime.streams.mixdown import Mixdown

RATE_HZ = 16_000
VOICE = np.random.default_rng(0).normal(0, 0.1, 5 * RATE_HZ).astype(np.float32)
OTHERS = np.random.default_rng(1).normal(0, 0.1, (5 * RATE_HZ, 8)).astype(np.float32)
NONE = np.zeros_like(VOICE)


def said(caplog: pytest.LogCaptureFixture, pcm: np.ndarray, channel: int | None = None, block: int = 320) -> list[str]:
    """What is logged of such sound, in blocks of 20 ms."""
    mixdown = Mixdown("the microphone", channel)
    with caplog.at_level(logging.INFO):
        for begin in range(0, len(pcm), block):
            mixdown.mono(pcm[begin : begin + block], RATE_HZ)
        mixdown.conclude()
    return list(caplog.messages)


@pytest.mark.parametrize(
    ("channels", "quieter_db", "loudest"),
    [
        ([VOICE, -VOICE], 60, 0),
        ([0.5 * VOICE, -VOICE], 12, 1),
        ([VOICE, NONE], 6, 0),
        ([NONE, NONE, NONE, VOICE], 12, 3),
        ([NONE] * 5 + [VOICE] + [0.1 * VOICE] * 2, 16, 5),
    ],
    ids=["antiphase", "nearly so", "one of two", "one of four", "one of eight"],
)
def test_what_the_mean_loses_is_said_once_and_what_to_do(caplog, channels, quieter_db, loudest):
    line = (
        f"the microphone: the mean of its {len(channels)} channels is {quieter_db} dB quieter than channel {loudest} "
        "alone; `channel` chooses one, counted from 0"
    )
    assert said(caplog, np.stack(channels, axis=1)) == [line]


@pytest.mark.parametrize(
    "pcm",
    [
        np.stack([VOICE, VOICE], axis=1),
        np.stack([VOICE, 0.5 * VOICE], axis=1),
        np.stack([VOICE, np.roll(VOICE, 8)], axis=1),
        OTHERS[:, :2],
        OTHERS,
        0.001 * np.stack([VOICE, -VOICE], axis=1),
        np.stack([NONE, NONE], axis=1),
        VOICE[:, None],
        np.full((RATE_HZ, 2), np.nan, np.float32),
    ],
    ids=["the same", "quieter", "later", "two of their own", "eight of their own", "noise floor", "none", "one", "NaN"],
)
def test_an_ordinary_mean_is_no_matter(caplog, recwarn, pcm):
    assert said(caplog, pcm) == []
    assert not recwarn.list


def test_whoever_chose_a_channel_is_told_nothing(caplog):
    pcm = np.stack([VOICE, -VOICE], axis=1)
    assert said(caplog, pcm, channel=1) == []
    np.testing.assert_array_equal(Mixdown("it", 1).mono(pcm, RATE_HZ), -VOICE)


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(SampleError, match="has no channel 1: it has one, channel 0"):
        Mixdown("it", 1).mono(VOICE[:, None], RATE_HZ)


def test_sound_of_less_than_two_seconds_is_judged_at_its_end(tmp_path, caplog):
    soundfile.write(tmp_path / "a.wav", np.stack([VOICE, -VOICE], axis=1)[:8000], RATE_HZ)
    assert len(list(Clip(None, tmp_path / "a.wav", live=False))) == 25
    assert f"{tmp_path / 'a.wav'}: the mean of its 2 channels is 60 dB quieter than channel" in caplog.text
