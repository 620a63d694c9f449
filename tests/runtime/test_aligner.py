"""The aligner takes what fits and counts what does not."""

import logging

import numpy as np
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, AudioChunk, Bundle, Frame, Text
from edgefuse.runtime.aligner import Aligner
from edgefuse.runtime.inlets import FrameSlot
from edgefuse.runtime.window import Window

MS = 1_000_000
MANIFEST = Bundle.open(DEFAULT_BUNDLE).manifest


@pytest.fixture
def aligner() -> Aligner:
    inlets = {"image": FrameSlot(MANIFEST.modality("image")), "audio": Window(MANIFEST.modality("audio"))}
    return Aligner(inlets, now_ns=lambda: 1000 * MS)


def frame(stamp_ms: float, image: np.ndarray | None = None) -> Frame:
    return Frame(round(stamp_ms * MS), np.zeros((4, 6, 3), np.uint8) if image is None else image)


def test_the_newest_frame_wins_and_the_overtaken_are_counted(aligner):
    for stamp_ms in (100, 133, 166):
        assert aligner.put(frame(stamp_ms), 0)
    assert aligner.take("image").stamp_ns == 166 * MS
    assert aligner.take("image") is None, "each is taken once"
    assert aligner.drops()["image"] == {"overtaken": 2}


def test_a_sample_out_of_order_or_twice_is_skipped(aligner):
    assert aligner.put(frame(100), 0)
    assert not aligner.put(frame(90), 0)
    assert not aligner.put(frame(100), 0)
    assert aligner.take("image").stamp_ns == 100 * MS
    assert aligner.drops()["image"] == {"out_of_order": 2}


def test_a_sample_from_the_future_is_skipped_and_does_not_block_those_after_it(aligner):
    assert not aligner.put(frame(5000), 0)
    assert aligner.put(frame(990), 0)
    assert aligner.drops()["image"] == {"future": 1}


def test_without_a_clock_nothing_is_in_the_future(aligner):
    aligner.now_ns = None
    assert aligner.put(frame(5000), 0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 6), np.uint8),
        np.zeros((4, 6, 1), np.uint8),
        np.zeros((4, 6, 4), np.uint8),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros((4, 6, 3), np.float32),
    ],
    ids=["grayscale", "one channel", "RGBA", "empty", "float"],
)
def test_frames_of_another_kind_are_skipped(aligner, image):
    assert not aligner.put(frame(100, image), 0)
    assert aligner.drops()["image"] == {"malformed": 1}
    assert aligner.take("image") is None


def test_a_sample_under_another_senses_name_is_skipped(aligner):
    assert not aligner.put(Text(100 * MS, "hello", modality="image"), 0)
    assert not aligner.put(Text(100 * MS, "hello", modality="audio"), 0)
    assert aligner.drops() == {"image": {"malformed": 1}, "audio": {"malformed": 1}}


def test_colour_order_is_heeded(aligner):
    blue_in_bgr = np.zeros((2, 2, 3), np.uint8)
    blue_in_bgr[..., 0] = 255
    aligner.put(Frame(100 * MS, blue_in_bgr, "bgr8"), 0)
    np.testing.assert_array_equal(aligner.take("image").array[0, 0, 0], [0, 0, 255])


def test_gaps_in_the_sound_are_counted(aligner):
    aligner.put(AudioChunk(0, np.zeros(320, np.float32), 16_000, 0), 0)
    aligner.put(AudioChunk(40 * MS, np.zeros(320, np.float32), 16_000, 640), 0)
    assert aligner.drops()["audio"] == {"gap": 320}


def test_only_the_first_skipped_sample_of_a_kind_is_logged(aligner, caplog):
    with caplog.at_level(logging.WARNING):
        for stamp_ms in (5000, 6000, 7000):
            aligner.put(frame(stamp_ms), 0)
    assert len(caplog.records) == 1
    assert "a sample of image was skipped" in caplog.text
    assert aligner.drops()["image"] == {"future": 3}
