"""An input that cannot be understood is said once."""

import logging

import numpy as np

from edgefuse.runtime.streams.level import LevelWatch

SILENCE = np.zeros(1600, np.float32)
SPEECH = np.full(1600, 0.1, np.float32)
CLIPPED = np.ones(1600, np.float32)


def test_two_seconds_of_zeros_are_one_warning(caplog):
    watch = LevelWatch("microphone 'x'")
    with caplog.at_level(logging.WARNING):
        for _ in range(19):
            watch.hear(SILENCE, 16_000)
        assert not caplog.records
        for _ in range(50):
            watch.hear(SILENCE, 16_000)
    assert [record.message for record in caplog.records] == [
        "microphone 'x' has been silent for 2 s: it is muted, unplugged, or the wrong device"
    ]
    assert watch.complaint == "silent"
    watch.hear(SPEECH, 16_000)
    assert watch.complaint is None


def test_clipping_is_told_from_silence(caplog):
    watch = LevelWatch("microphone 'x'")
    for _ in range(10):
        watch.hear(SILENCE, 16_000)
    for _ in range(25):
        watch.hear(CLIPPED, 16_000)
    assert watch.complaint == "clipped"
    assert len(caplog.records) == 1
