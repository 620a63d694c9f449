"""Bags and messages made wrong at random: what is whole is replayed, the rest counted, or one line refuses it."""

from __future__ import annotations

import contextlib
import logging
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
from foreign_bags import by_humble, killed_beside_its_log, lz4, scene, unchunked, zstd
from fuzzing import each_round, is_one_line, mutated
from robot_bags import AUDIO_CHUNK, EPOCH_NS, MGONZS13, MS, ROS_DRIVERS, Bag, as_int16, bgr_picture, tone

from edgefuse.runtime import DEFAULT_BUNDLE, Frame, Perceiver, Sample, StreamError, Text
from edgefuse.runtime.bundle.manifest import GraphSpec, SignalModality
from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.inlets import open_inlet
from edgefuse.runtime.streams.recording import Recording

pytestmark = pytest.mark.fuzz

MOST_MB = 700
"""How much more memory all rounds together may take than there was: limits hold far less, leaks take more."""

SHORT = tuple(note for note in scene() if note.log_ns < EPOCH_NS + 500 * MS)
FILES: dict[str, Callable[..., Path]] = {
    write.__name__: write for write in (zstd, lz4, unchunked, by_humble, killed_beside_its_log)
}


@pytest.fixture(scope="module")
def perceiver() -> Perceiver:
    return Perceiver.open(DEFAULT_BUNDLE, selftest=False)


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def samples_of(path: Path, **options: Any) -> list[Sample] | None:
    """None where one line refuses the recording; any other exception is a fault."""
    try:
        return list(Recording(path, live=False, **options))
    except StreamError as error:
        refusal = str(error)
    assert is_one_line(refusal), refusal
    assert str(path) in refusal
    return None


def perceive(perceiver: Perceiver, path: Path) -> None:
    """All the way: percepts of any number, all of them finite, or one line."""
    refusal = "none"
    try:
        for percept in perceiver.perceive(Recording(path, live=False, senses=perceiver.bundle.manifest.modalities)):
            assert np.isfinite(percept.confidence)
    except StreamError as error:
        refusal = str(error)
    assert is_one_line(refusal), refusal


@pytest.mark.parametrize("kind", FILES)
def test_files(kind, perceiver, tmp_path, caplog):
    whole = FILES[kind](tmp_path / "file", SHORT)
    expected = samples_of(whole)
    parts = sorted(whole.parent.glob(f"{whole.name}*"))
    before_mb = peak_mb()

    def check(random: Random) -> None:
        caplog.clear()
        folder = tmp_path / "mutated"
        folder.mkdir()
        victim = random.choice(parts)
        for part in parts:
            content = part.read_bytes()
            (folder / part.name).write_bytes(mutated(content, random) if part is victim else content)
        samples = samples_of(folder / whole.name)
        if samples is not None and len(samples) < len(expected) and kind in ("zstd", "lz4", "killed_beside_its_log"):
            assert any(record.levelno >= logging.WARNING for record in caplog.records), "something is lost in silence"
        if random.random() < 0.2:
            perceive(perceiver, folder / whole.name)
        shutil.rmtree(folder)

    each_round(40, check)
    assert peak_mb() - before_mb < MOST_MB


class Messages(Bag):
    """A bag of messages of one type, some of which are not as they were made."""

    def __init__(self, path: Path, definitions: Any = ()):
        super().__init__(path, definitions)
        self.random: Random | None = None
        self.whole = 0

    def add(self, topic: str, log_ns: int, name: str, **fields: Any) -> None:
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, name, typestore=self.store)
        data = bytes(self.store.serialize_cdr(self.make(name, **fields), name))
        if self.random is not None and self.random.random() < 0.5:
            head = self.random.choice((8, 32, 100, len(data)))
            data = mutated(data[:head], self.random) + data[head:]
        else:
            self.whole += 1
        self.writer.write(self.connections[topic], log_ns, data)


def image(bag: Bag, n: int, random: Random) -> None:
    encoding, picture = random.choice(
        [("bgr8", bgr_picture()), ("8UC3", bgr_picture()), ("rgb8", bgr_picture()[..., ::-1])]
    )
    bag.image("/camera", 50 * n, picture, encoding, padding=random.choice((0, 8)))


def compressed(bag: Bag, n: int, random: Random) -> None:
    bag.compressed("/camera", 50 * n, cv2.imencode(".png", bgr_picture())[1].tobytes())


def text(bag: Bag, n: int, random: Random) -> None:
    bag.add("/speech", EPOCH_NS + 50 * n * MS, "std_msgs/msg/String", data="the red ball")


def chunk(bag: Bag, n: int, random: Random) -> None:
    stamp_ns, pcm = EPOCH_NS + 50 * n * MS, tone(16_000, 0.05)
    encoding, data = random.choice(
        [("S16LE", as_int16(pcm)), ("F32LE", np.frombuffer(pcm.astype("<f4").tobytes(), np.uint8))]
    )
    bag.add(
        "/audio", stamp_ns + 50 * MS, "edgefuse_msgs/msg/AudioChunk", header=bag.header(stamp_ns), sample_rate=16_000,
        channels=1, encoding=encoding, index=800 * n, gap=0, data=data,
    )  # fmt: skip


def audio_data(bag: Bag, n: int, random: Random) -> None:
    if n == 0:
        bag.info("/info", random.choice(("S16LE", "U8", "F32LE")))
    name = "audio_common_msgs/msg/AudioData"
    bag.add("/audio", EPOCH_NS + 50 * (n + 1) * MS, name, data=as_int16(tone(16_000, 0.05)))


def audio_stamped(bag: Bag, n: int, random: Random) -> None:
    empty = {"int32_data": np.array([], np.int32), "int16_data": np.array([], np.int16)}
    pcm = tone(16_000, 0.05)[:, 0].astype(np.float32)
    data = bag.make("audio_common_msgs/msg/AudioData", float32_data=pcm, **empty)
    info = bag.make("audio_common_msgs/msg/AudioInfo", format=8, channels=1, rate=16_000, chunk=800)
    audio = bag.make("audio_common_msgs/msg/Audio", audio_data=data, info=info)
    stamp_ns = EPOCH_NS + 50 * n * MS
    bag.add("/audio", stamp_ns, "audio_common_msgs/msg/AudioStamped", header=bag.header(stamp_ns), audio=audio)


def bytes_of_sound(bag: Bag, n: int, random: Random) -> None:
    if n == 0:
        bag.info("/info", "S16LE")
    dim = [bag.make("std_msgs/msg/MultiArrayDimension", label="samples", size=800, stride=800)]
    layout = bag.make("std_msgs/msg/MultiArrayLayout", dim=dim, data_offset=0)
    data = as_int16(tone(16_000, 0.05))
    bag.add("/audio", EPOCH_NS + 50 * (n + 1) * MS, "std_msgs/msg/UInt8MultiArray", layout=layout, data=data)


def signal(bag: Bag, n: int, random: Random) -> None:
    stamp_ns = EPOCH_NS + 50 * n * MS
    bag.add(
        "/touch", stamp_ns + 50 * MS, "edgefuse_msgs/msg/Signal", header=bag.header(stamp_ns), sample_rate=100.0,
        channels=3, index=5 * n, gap=0, data=np.linspace(0, 1, 15).astype(np.float32),
    )  # fmt: skip


SIGNAL = (Path(__file__).parents[3] / "ros_nodes" / "edgefuse_msgs" / "msg" / "Signal.msg").read_text()
OURS = {"edgefuse_msgs/msg/AudioChunk": AUDIO_CHUNK, "edgefuse_msgs/msg/Signal": SIGNAL}
KINDS: dict[str, tuple[Callable[..., None], Any]] = {
    "Image": (image, ()),
    "CompressedImage": (compressed, ()),
    "String": (text, ()),
    "AudioChunk": (chunk, OURS),
    "AudioData": (audio_data, ROS_DRIVERS),
    "AudioStamped": (audio_stamped, MGONZS13),
    "UInt8MultiArray": (bytes_of_sound, ROS_DRIVERS),
    "Signal": (signal, OURS),
}

TOUCH = SignalModality(
    name="signal",
    graph=GraphSpec.model_construct(),
    max_age_ms=500,
    rate_hz=100.0,
    channels=3,
    window_samples=100,
    hop_samples=10,
)


def is_whole(sample: Sample) -> bool:
    """Whether it is just what was put into the message."""
    if isinstance(sample, Frame):
        bgr = sample.image if sample.encoding == "bgr8" else sample.image[..., ::-1]
        return np.array_equal(bgr, bgr_picture())
    return isinstance(sample, Text) and sample.text == "the red ball"


@pytest.mark.parametrize("kind", KINDS)
def test_messages(kind, perceiver, tmp_path, caplog):
    add, definitions = KINDS[kind]
    topics = {"audio": "/audio"} if kind == "UInt8MultiArray" else None
    before_mb = peak_mb()

    def check(random: Random) -> None:
        caplog.clear()
        bag = Messages(tmp_path / "bag", definitions)
        for n in range(12):
            bag.random = random if n else None  # the first says what the topic is
            add(bag, n, random)
        path = bag.close()
        samples = samples_of(path, topics=topics)
        if samples is not None:
            if kind in ("Image", "CompressedImage", "String"):
                assert sum(map(is_whole, samples)) >= bag.whole, "a message that is whole is lost"
            if len(samples) < 12 and kind in ("Image", "CompressedImage", "String", "Signal"):  # none is held back
                assert caplog.records, "something is lost in silence"
        if kind == "Signal":
            inlet = open_inlet(TOUCH, None, Drops(["signal"]))
            for sample in samples or ():
                with contextlib.suppress(SampleError):
                    inlet.put(sample, 0)
        elif topics is None:
            perceive(perceiver, path)
        shutil.rmtree(bag.path)

    each_round(15, check)
    if kind != "CompressedImage":  # its pictures have a limit of their own, which is tested by itself
        assert peak_mb() - before_mb < MOST_MB
