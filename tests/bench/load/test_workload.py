"""What the senses are given: the source's own samples, or made-up ones, cut as their sensors hand them over."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load import workload as made
from edgefuse.bench.load.sensors import period_ns, samples_per_piece
from edgefuse.bench.load.workload import check_rate, read_frame_rate_hz, workload_from
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, AudioChunk, Bundle, Frame, Text
from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.samples import Signal

sys.path.insert(0, str(Path(__file__).parents[2] / "runtime"))

from small_networks import FUSION_OF_TWO, image, imu, write_bundle

MANIFEST = Bundle.open(DEFAULT_BUNDLE).manifest
IMAGE, AUDIO, TEXT = MANIFEST.modalities


@pytest.fixture
def small(tmp_path: Path) -> Bundle:
    """A camera and an inertial sensor of 100 Hz."""
    return Bundle.open(write_bundle(tmp_path / "b", [image(), imu()], FUSION_OF_TWO.format("image", "imu")))


def test_the_sources_own_frames_and_sound_are_given():
    load = workload_from(MANIFEST, DEFAULT_CLIP)
    assert load.generated == ("text",)
    frames, pieces = load.contents["image"], load.contents["audio"]
    assert isinstance(frames[0], Frame)
    assert 200 < len(frames) <= 301, "ten seconds of them at most"
    assert {len(piece) for piece in pieces} == {320}
    assert sum(map(len, pieces)) >= 8 * AUDIO.rate_hz
    assert load.contents["text"] == list(MANIFEST.labels.values())


def test_a_sense_that_the_source_lacks_gets_noise_of_its_shape(small: Bundle):
    load = workload_from(small.manifest, DEFAULT_CLIP)
    assert load.generated == ("imu",)
    pieces = load.contents["imu"]
    assert {piece.shape for piece in pieces} == {(2, 3)}
    assert np.concatenate(pieces).std() == pytest.approx(1.0, rel=0.2)
    again = workload_from(small.manifest, DEFAULT_CLIP).contents["imu"]
    assert all(np.array_equal(a, b) for a, b in zip(pieces, again, strict=True)), "the same each time"


def test_made_up_frames_have_the_size_that_the_graph_wants_or_a_usual_cameras(small: Bundle):
    assert made._choose_frame_size(small.manifest.modalities[0], small.manifest) == (480, 640)
    fixed = small.manifest.model_copy(deep=True)
    sense = fixed.modalities[0]
    tensor = sense.graph.inputs[0].model_copy(update={"shape": ("batch", 96, "width", 3)})
    sense = sense.model_copy(update={"graph": sense.graph.model_copy(update={"inputs": (tensor,)})})
    assert made._choose_frame_size(sense, fixed) == (96, 640)


def test_memory_is_not_filled_with_frames(monkeypatch):
    monkeypatch.setattr(made, "_MOST_FRAME_BYTES", 3_000_000)
    frames = workload_from(MANIFEST, DEFAULT_CLIP).contents["image"]
    assert 0 < sum(frame.image.nbytes for frame in frames) < 3_500_000


def test_a_sound_shorter_than_a_piece_is_repeated():
    (piece,) = made._cut(AUDIO, np.arange(100, dtype=np.float32))
    assert piece.tolist() == [number % 100 for number in range(320)]


def test_a_rest_at_the_end_is_left_out():
    assert [len(piece) for piece in made._cut(AUDIO, np.zeros(1000, np.float32))] == [320] * 3


def test_a_series_comes_at_its_own_rate_and_frames_at_the_stated_one(small: Bundle):
    signal = small.manifest.modalities[1]
    assert samples_per_piece(AUDIO) == 320
    assert samples_per_piece(signal) == 2
    assert period_ns(IMAGE, 50.0) == 20e6
    assert period_ns(AUDIO, 50.0) == period_ns(signal, 1000.0) == 20e6
    assert period_ns(TEXT, 50.0) == 2e9


def test_samples_are_stamped_when_they_were_sensed_and_go_round(small: Bundle):
    load = workload_from(small.manifest, DEFAULT_CLIP)
    frames, signals = load.streams(rate_hz=50.0, seconds=1.0, counted_after_s=0.5)
    due_ns = frames.pace.start_ns
    count = len(load.contents["image"])
    first, again = frames.sample(0, due_ns), frames.sample(count, due_ns + 1)
    assert isinstance(first, Frame)
    assert (first.stamp_ns, again.stamp_ns) == (due_ns, due_ns + 1)
    assert first.image is again.image
    signal = signals.sample(3, due_ns)
    assert isinstance(signal, Signal)
    assert (due_ns - signal.stamp_ns, signal.until_ns) == (20_000_000, due_ns)
    assert signal.index == round(due_ns * 100 / 1e9) + 6
    assert (frames.pace.counted_ns - due_ns, frames.pace.end_ns - due_ns) == (500_000_000, 1_000_000_000)


def test_the_kinds_of_samples_are_those_of_the_senses():
    streams = workload_from(MANIFEST, DEFAULT_CLIP).streams(30.0, 1.0, 0.0)
    kinds = [type(stream.sample(0, stream.pace.start_ns)) for stream in streams]
    assert kinds == [Frame, AudioChunk, Text]


def test_the_sources_own_rate_is_read():
    assert read_frame_rate_hz(DEFAULT_CLIP, MANIFEST) == pytest.approx(30.0, rel=0.02)


def test_sound_alone_has_no_frame_rate(tmp_path):
    soundfile.write(tmp_path / "sound.wav", np.zeros(16_000, np.float32), 16_000)
    ears = MANIFEST.model_copy(update={"modalities": (AUDIO,)})
    try:
        rate_hz = read_frame_rate_hz(tmp_path / "sound.wav", ears)
    except StreamError as error:
        pytest.fail(f"a sound is a source: {error}")
    assert rate_hz is None


def test_a_file_that_is_no_source_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(StreamError, match=r"text\.mp4"):
        workload_from(MANIFEST, tmp_path / "text.mp4")


@pytest.mark.parametrize("rate_hz", [0.1, 30, 10_000])
def test_a_rate_that_a_stream_can_be_paced_at(rate_hz):
    check_rate(rate_hz)


@pytest.mark.parametrize("rate_hz", [0.0, 0.09, 10_001, -30, float("nan"), float("inf")])
def test_a_rate_that_none_can(rate_hz):
    with pytest.raises(BenchError, match=r"expected 0\.1 to 10000 frames per second"):
        check_rate(rate_hz)
