"""The intake takes what fits and counts what does not."""

import logging

import numpy as np
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, AudioChunk, Bundle, Frame, Text
from edgefuse.runtime.intake import Intake
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.inlets import FrameSlot
from edgefuse.runtime.senses.window import Window

MS = 1_000_000
MANIFEST = Bundle.open(DEFAULT_BUNDLE).manifest


NOW_NS = 1000 * MS


class Counting(Intake):
    """An intake that is asked for its drops."""

    def __init__(self, future_tolerance_ns: int | None = 50 * MS) -> None:
        self.drops = Drops(["image", "audio"])
        image, audio = MANIFEST.modality("image"), MANIFEST.modality("audio")
        inlets = {"image": FrameSlot(image, self.drops), "audio": Window(audio, self.drops)}
        super().__init__(inlets, self.drops, lambda: NOW_NS, future_tolerance_ns)


@pytest.fixture
def intake() -> Counting:
    return Counting()


def frame(stamp_ms: float, image: np.ndarray | None = None) -> Frame:
    return Frame(round(stamp_ms * MS), np.zeros((4, 6, 3), np.uint8) if image is None else image)


def test_the_newest_frame_wins_and_the_overtaken_are_counted(intake):
    for stamp_ms in (100, 133, 166):
        assert intake.put(frame(stamp_ms))
    assert intake.take("image").stamp_ns == 166 * MS
    assert intake.take("image") is None, "each is taken once"
    assert intake.drops.as_dict()["image"] == {"overtaken": 2}


def test_a_sample_out_of_order_or_twice_is_skipped(intake):
    assert intake.put(frame(100))
    assert not intake.put(frame(90))
    assert not intake.put(frame(100))
    assert intake.take("image").stamp_ns == 100 * MS
    assert intake.drops.as_dict()["image"] == {"out_of_order": 2}


def test_a_sample_from_the_future_is_skipped_and_does_not_block_those_after_it(intake):
    assert not intake.put(frame(5000))
    assert intake.put(frame(990))
    assert intake.drops.as_dict()["image"] == {"future": 1}


@pytest.mark.parametrize(("stamp_ms", "hinted"), [(1000, True), (990, True), (1040, True), (1900, False)])
def test_a_piece_that_is_stamped_at_its_end_is_told_so(intake, stamp_ms, hinted):
    chunk = AudioChunk(stamp_ms * MS, np.zeros(3200, np.float32), 16_000, 0)
    assert not intake.put(chunk)
    assert intake.drops.as_dict()["audio"] == {"future": 1}
    said = intake.drops.refusal("audio")
    assert f"{stamp_ms + 200 - 1000:.1f} ms in the future of the perceiver's clock" in said
    assert ("it should be stamped at its first value, not at its end" in said) is hinted
    assert intake.put(AudioChunk(800 * MS, chunk.pcm, 16_000, 0))


def test_without_a_clock_nothing_is_in_the_future():
    intake = Counting(future_tolerance_ns=None)
    assert intake.put(frame(5000))


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
def test_frames_of_another_kind_are_skipped(intake, image):
    assert not intake.put(frame(100, image))
    assert intake.drops.as_dict()["image"] == {"malformed": 1}
    assert intake.take("image") is None


def test_a_sample_under_another_senses_name_is_skipped(intake):
    assert not intake.put(Text(100 * MS, "hello", modality="image"))
    assert not intake.put(Text(100 * MS, "hello", modality="audio"))
    assert intake.drops.as_dict() == {"image": {"malformed": 1}, "audio": {"malformed": 1}}


def test_colour_order_is_heeded(intake):
    blue_in_bgr = np.zeros((2, 2, 3), np.uint8)
    blue_in_bgr[..., 0] = 255
    intake.put(Frame(100 * MS, blue_in_bgr, "bgr8"))
    np.testing.assert_array_equal(intake.take("image").array[0, 0, 0], [0, 0, 255])


def test_gaps_in_the_sound_are_counted(intake):
    intake.put(AudioChunk(0, np.zeros(320, np.float32), 16_000, 0))
    intake.put(AudioChunk(40 * MS, np.zeros(320, np.float32), 16_000, 640))
    assert intake.drops.as_dict()["audio"] == {"gap": 320}


def test_only_the_first_skipped_sample_of_a_kind_is_logged(intake, caplog):
    with caplog.at_level(logging.WARNING):
        for stamp_ms in (5000, 6000, 7000):
            intake.put(frame(stamp_ms))
    assert len(caplog.records) == 1
    assert "a sample of image was skipped" in caplog.text
    assert intake.drops.as_dict()["image"] == {"future": 3}
