"""The window holds the newest sound, whatever the chunks it came in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefuse.runtime import AudioChunk, SampleError
from edgefuse.runtime.bundle.manifest import AudioModality, GraphSpec
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.window import Window

RATE_HZ, WINDOW, HOP = 1000, 100, 20
STEP = np.float32(2**-13)  # from each sample to the next, exactly
GRAPH = GraphSpec(file="audio.onnx", precision="fp32", inputs=(), outputs=())
AUDIO = AudioModality(
    name="audio", graph=GRAPH, max_age_ms=500, rate_hz=RATE_HZ, window_samples=WINDOW, hop_samples=HOP
)


def chunk(start: int, length: int, values: np.ndarray | None = None) -> AudioChunk:
    pcm = STEP * np.arange(start + 1, start + length + 1, dtype=np.float32) if values is None else values
    return AudioChunk(stamp_ns=start * 1_000_000, pcm=pcm, rate_hz=RATE_HZ, index=start)


@given(st.lists(st.integers(1, 250), min_size=1, max_size=20))
def test_any_chunking_gives_the_same_window(lengths):
    window = Window(AUDIO, drops := Drops(["audio"]))
    total = 0
    for length in lengths:
        window.put(chunk(total, length), received_ns=0)
        total += length
    expected = STEP * np.arange(total - WINDOW + 1, total + 1, dtype=np.float32).clip(0)
    if window.ready():
        evidence = window.take()
        np.testing.assert_array_equal(evidence.array, expected[None])
        assert evidence.stamp_ns == total * 1_000_000, "stamped at its last sample"
    assert not window.ready()
    assert "gap" not in drops.as_dict()["audio"]


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(1, 60)), min_size=1, max_size=20))
def test_a_gap_becomes_zeros_of_its_length(pieces):
    drops = Drops(["audio"])
    window, truth, index = Window(AUDIO, drops), np.zeros(WINDOW, np.float32), 0
    for number, (missing, length) in enumerate(pieces):
        missing = missing if number else 0
        piece = chunk(index + missing, length)
        truth = np.concatenate([truth, np.zeros(missing, np.float32), piece.pcm])
        window.put(piece, received_ns=0)
        index += missing + length
    window.put(chunk(index, HOP), received_ns=0)
    truth = np.concatenate([truth, chunk(index, HOP).pcm])
    np.testing.assert_array_equal(window.take().array[0], truth[-WINDOW:])
    assert drops.as_dict()["audio"].get("gap", 0) == sum(missing for missing, _ in pieces[1:])


def test_ready_once_per_hop_and_a_late_encoder_gets_the_newest():
    window = Window(AUDIO, drops := Drops(["audio"]))
    window.put(chunk(0, HOP - 1), 0)
    assert not window.ready()
    window.put(chunk(HOP - 1, 3 * HOP), 0)
    assert window.take().array[0, -1] == STEP * (4 * HOP - 1)
    assert drops.as_dict()["audio"] == {"overtaken": 2}
    assert not window.ready()


def test_what_is_taken_stays_when_more_comes():
    window = Window(AUDIO, Drops(["audio"]))
    window.put(chunk(0, HOP), 0)
    taken = window.take().array
    before = taken.copy()
    window.put(chunk(HOP, HOP), 0)
    np.testing.assert_array_equal(taken, before)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (chunk(0, 2, np.array([0.1, np.nan], np.float32)), "not_finite"),
        (chunk(0, 2, np.array([0.1, np.inf], np.float32)), "not_finite"),
        (chunk(0, 2, np.zeros(2)), "malformed"),
        (chunk(0, 2, np.zeros((2, 2), np.float32)), "malformed"),
        (AudioChunk(0, np.zeros(2, np.float32), 44_100, 0), "malformed"),
    ],
)
def test_bad_chunks_are_refused_and_leave_no_trace(bad, reason):
    window = Window(AUDIO, Drops(["audio"]))
    with pytest.raises(SampleError) as error:
        window.put(bad, 0)
    assert error.value.reason == reason
    window.put(chunk(0, HOP), 0)
    assert np.isfinite(window.take().array).all()


def test_samples_that_are_here_already_are_refused():
    window = Window(AUDIO, Drops(["audio"]))
    window.put(chunk(0, 30), 0)
    with pytest.raises(SampleError) as error:
        window.put(chunk(20, 30), 0)
    assert error.value.reason == "out_of_order"


def test_a_source_that_counts_anew_goes_on_after_the_time_that_its_stamps_say():
    window = Window(AUDIO, drops := Drops(["audio"]))
    window.put(chunk(0, 50), 0)
    window.put(AudioChunk(80 * 1_000_000, np.full(HOP, 7, np.float32), RATE_HZ, index=0), 0)
    expected = np.concatenate([STEP * np.arange(1, 51), np.zeros(30), np.full(HOP, 7)]).astype(np.float32)
    np.testing.assert_array_equal(window.take().array[0], expected)
    assert drops.as_dict()["audio"]["gap"] == 30
