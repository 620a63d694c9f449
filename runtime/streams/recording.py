"""A recording: an MCAP file of ROS 2 messages, ours or a robot's own, replayed in real time or as fast as possible."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.manifest import Modality
from edgefuse.runtime.samples import NS_PER_S, Sample
from edgefuse.runtime.sinks.recorder import MODALITY_KEY
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.mcap_file import McapFile, Topic
from edgefuse.runtime.streams.pacer import Pacer, wake_on_time
from edgefuse.runtime.streams.track import KINDS, Track

_CLOCKS_APART_NS = 10 * NS_PER_S
_RATE_HZ = 16_000
_NO_SPEECH = ("/robot_description",)  # of type String on every robot

log = logging.getLogger(__name__)


class Recording(Stream):
    """Yields the samples of a file's topics, each when it would have been sensed; needs no ROS.

    A topic is chosen by its message type: images (sensor_msgs Image, CompressedImage), sound (edgefuse_msgs AudioChunk,
    audio_common_msgs), text (std_msgs String), edgefuse_msgs Signal. `senses` are those wanted; by default one of each
    kind, named after it, with sound at 16 kHz. Sound becomes mono at the rate of its sense. What edgefuse recorded goes
    to the sense of the same name; a topic of others goes to the first sense of its kind. `topics` {sense: topic}
    chooses where that does not fit. `path` may be a rosbag2 directory.

    Replayed in real time (`live`), stamps are on the monotonic clock and begin when the iteration does; otherwise they
    begin at 0. They keep the distances of the messages' own stamps (`header.stamp`), or of the log times for types
    without one, and for all where the two are on different clocks (simulated time).

    A file that was cut off is replayed to where it breaks off, with a warning. Raises StreamError if the file is
    missing, damaged, holds nothing to replay, or more than one topic for a sense.
    """

    def __init__(
        self,
        path: Path,
        live: bool = True,
        topics: Mapping[str, str] | None = None,
        senses: Collection[Modality] = (),
    ) -> None:
        self.live = live
        self._file = McapFile(_mcap_of(path) if path.is_dir() else path)
        chosen = _chosen(self._file, topics or {}, {sense.name: sense.kind for sense in senses})
        rates_hz = {sense.name: sense.rate_hz for sense in senses if sense.kind == "audio"}
        self._tracks = [
            Track(self._file, t.name, t.type, sense, rates_hz.get(sense, _RATE_HZ)) for sense, t in chosen.items()
        ]
        for track in self._tracks:
            log.info("%s: %s is replayed from %s", self._file.path, track.modality, track.topic)
        self._by_log_time = self._clocks_differ()
        firsts = [next(track.samples(0, self._by_log_time), None) for track in self._tracks]
        stamps = [first.stamp_ns for first in firsts if first is not None]
        if not stamps:
            wanted = f" for {', '.join(sense.name for sense in senses)}" if senses else ""
            found = _listed(self._file.topics.values())
            raise StreamError(f"{path} holds nothing to replay{wanted}: its topics are {found}; --topic chooses others")
        self._begin_ns = min(stamps)
        self._pacer = Pacer()

    @property
    def topics(self) -> dict[str, str]:
        """The topic that each sense is replayed from."""
        return {track.modality: track.topic for track in self._tracks}

    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of their `until_ns`; raises StreamError where the file is damaged."""
        if self.live:
            wake_on_time()
        offset_ns = (time.monotonic_ns() if self.live else 0) - self._begin_ns
        tracks = [track.samples(offset_ns, self._by_log_time) for track in self._tracks]
        for sample in heapq.merge(*tracks, key=lambda sample: sample.until_ns):
            if self.live:
                self._pacer.wait_until(sample.until_ns)
            if self._pacer.stopped:
                return
            yield sample

    def close(self) -> None:
        """See Stream."""
        self._pacer.stop()

    def _clocks_differ(self) -> bool:
        ahead_ns = {track.topic: track.stamp_ahead_ns() for track in self._tracks}
        apart = [topic for topic, ahead in ahead_ns.items() if ahead is not None and abs(ahead) > _CLOCKS_APART_NS]
        if apart:
            names = ", ".join(apart)
            log.warning("%s: the stamps of %s are not on the log's clock; log times are used", self._file.path, names)
        return bool(apart)


def _mcap_of(bag: Path) -> Path:
    files = sorted(bag.glob("*.mcap"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise StreamError(f"{bag} should be a bag of one MCAP file, but has {names}; name one file")
    return files[0]


def _chosen(file: McapFile, named: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, Topic]:
    """The topic of each sense; `kinds` by the senses wanted, in their order."""
    chosen = {sense: _named(file, sense, topic) for sense, topic in named.items()}
    candidates: dict[str, list[Topic]] = {}
    for topic in file.topics.values():
        sense = _sense(topic, kinds)
        if sense is not None and topic not in chosen.values():
            candidates.setdefault(sense, []).append(topic)
    for sense, fitting in candidates.items():
        if sense in chosen:
            continue
        if len(fitting) > 1:
            raise StreamError(
                f"{file.path} has {len(fitting)} topics for {sense}: {_listed(fitting)}; "
                f"choose one with --topic {sense}={fitting[0].name}"
            )
        chosen[sense] = fitting[0]
    return chosen


def _sense(topic: Topic, kinds: Mapping[str, str]) -> str | None:
    """The sense that a topic is of, by itself; None if it is of none that is wanted."""
    if topic.type not in KINDS or topic.name in _NO_SPEECH:
        return None
    recorded, kind = topic.metadata.get(MODALITY_KEY), KINDS[topic.type]
    if not kinds:
        return recorded or kind
    if recorded is not None:
        return recorded if recorded in kinds else None
    return next((sense for sense in kinds if kinds[sense] == kind), None)


def _named(file: McapFile, sense: str, name: str) -> Topic:
    topic = file.topics.get(name)
    if topic is None:
        raise StreamError(f"{file.path} has no topic {name}; it has {_listed(file.topics.values())}")
    if topic.type not in KINDS:
        raise StreamError(
            f"{name} of {file.path} is {topic.type}, which cannot be replayed; expected {', '.join(KINDS)}"
        )
    return topic


def _listed(topics: Collection[Topic]) -> str:
    return ", ".join(f"{topic.name} ({topic.type})" for topic in topics) or "none"
