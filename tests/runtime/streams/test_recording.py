"""A recording of ours replays what was sensed, also what a crash left of it."""

import contextlib
import itertools
import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest
from robot_bags import EPOCH_NS, MS, Bag

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, AudioChunk, Bundle, Clip, Perceiver, Stream, StreamError
from edgefuse.runtime.sinks.recorder import Recorder
from edgefuse.runtime.streams.clip import sound_beside
from edgefuse.runtime.streams.recording import Recording


class Samples(Stream):
    """A stream of given samples, as fast as they are taken."""

    live = False

    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        yield from self.samples

    def close(self):
        pass


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """The default clip, recorded."""
    path = tmp_path_factory.mktemp("recording") / "clip.mcap"
    recorder = Recorder(path)
    samples = recorder.tap(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
    for _ in itertools.takewhile(lambda sample: sample.until_ns < 6e9, samples):
        pass
    recorder.close()
    return path


def percepts_of(path: Path) -> list[str]:
    percepts = Perceiver.open(DEFAULT_BUNDLE).perceive(Recording(path, live=False))
    return [json.dumps(p.as_json() | {"trace": None}) + p.embedding.tobytes().hex() for p in percepts]


def test_replayed_twice_the_percepts_are_byte_for_byte_the_same(recorded):
    first = percepts_of(recorded)
    assert len(first) > 150
    assert first == percepts_of(recorded)


def test_fast_replay_begins_at_0_and_is_in_the_order_of_time(recorded):
    samples = list(Recording(recorded, live=False))
    assert min(sample.stamp_ns for sample in samples) == 0
    assert [sample.until_ns for sample in samples] == sorted(sample.until_ns for sample in samples)
    assert {sample.modality for sample in samples} == {"image", "audio"}


def test_live_replay_keeps_the_pace_and_can_be_ended(recorded):
    recording = Recording(recorded, live=True)
    began_ns, early_ns = time.monotonic_ns(), []
    for sample in recording:
        early_ns.append(sample.until_ns - time.monotonic_ns())
        if time.monotonic_ns() - began_ns > 500 * MS:
            recording.close()
    assert max(early_ns) <= 0
    assert 35 < len(early_ns) < 50, "half a second of 30 frames/s and 50 chunks/s"
    assert time.monotonic_ns() - began_ns < 700 * MS


def test_only_the_wanted_senses_are_read(recorded):
    senses = Bundle.open(DEFAULT_BUNDLE).manifest.modalities[1:]
    assert {type(sample) for sample in Recording(recorded, live=False, senses=senses)} == {AudioChunk}


def test_a_microphone_that_was_restarted_while_it_was_recorded(tmp_path, caplog):
    recorder = Recorder(tmp_path / "a.mcap")
    starts_ms = [0, 20, 40, 1000, 1020, 1040]
    chunks = [
        AudioChunk(ms * MS, np.full(320, n / 10, np.float32), 16_000, 320 * (n % 3)) for n, ms in enumerate(starts_ms)
    ]
    for _ in recorder.tap(Samples([*chunks, chunks[3]])):
        pass
    recorder.close()
    replayed = list(Recording(tmp_path / "a.mcap", live=False))
    assert [chunk.stamp_ns // MS for chunk in replayed] == starts_ms
    assert [chunk.index for chunk in replayed] == [16 * ms for ms in starts_ms]
    said = "a message of /edgefuse/audio was skipped (more such are only counted): it is stamped 40.0 ms before"
    assert said in caplog.text


def stamps_by_sense(path: Path) -> dict[str, list[int]]:
    """Nothing where not even one piece of the file is whole."""
    stamps = {"image": [], "audio": []}
    with contextlib.suppress(StreamError):
        for sample in Recording(path, live=False):
            stamps[sample.modality].append(sample.stamp_ns)
    return stamps


def test_cut_off_anywhere_it_replays_what_is_whole(recorded, tmp_path, caplog):
    content, whole = recorded.read_bytes(), stamps_by_sense(recorded)
    ends = sorted({*np.linspace(0, len(content) - 1, 30, dtype=int), *range(len(content) - 12, len(content))})
    seconds = []
    for end in ends:
        (tmp_path / f"{end}.mcap").write_bytes(content[:end])
        caplog.clear()
        stamps = stamps_by_sense(tmp_path / f"{end}.mcap")
        for sense, those in stamps.items():
            assert those == whole[sense][: len(those)]
        if stamps["image"]:
            assert [record.levelno for record in caplog.records] == [logging.WARNING]
        seconds.append(stamps["image"][-1] / 1e9 if stamps["image"] else 0)
    assert seconds == sorted(seconds)
    assert max(later - earlier for earlier, later in itertools.pairwise(seconds)) < 4, "a piece holds a MB at most"
    assert seconds[-1] == whole["image"][-1] / 1e9


def test_a_byte_that_was_altered_is_found(recorded, tmp_path):
    content = bytearray(recorded.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.mcap").write_bytes(content)
    with pytest.raises(StreamError, match=r"a\.mcap is damaged: .*try `mcap recover`"):
        list(Recording(tmp_path / "a.mcap", live=False))


def test_files_that_are_no_recordings(tmp_path):
    with pytest.raises(StreamError, match="no such recording"):
        Recording(tmp_path / "none.mcap")
    (tmp_path / "text.mcap").write_text("hello, I am no recording")
    with pytest.raises(StreamError, match=r"text\.mcap is no recording: expected MCAP or sqlite3"):
        Recording(tmp_path / "text.mcap")
    (tmp_path / "more.mcap").write_text("")
    with pytest.raises(StreamError, match=r"holds several recordings: more\.mcap, text\.mcap; name one of them"):
        Recording(tmp_path)
    bag = Bag(tmp_path / "bag")
    bag.add("/odometry", EPOCH_NS, "std_msgs/msg/Float32", data=1.0)
    with pytest.raises(
        StreamError, match=r"holds nothing to replay: its topics are /odometry \(std_msgs/msg/Float32\)"
    ):
        Recording(bag.close())
