"""A recording: a bag of ROS 2 messages, ours or a robot's own, replayed in real time or as fast as possible."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import get_args

from edgefuse.runtime.arguments import check_kind, path_of, texts_in
from edgefuse.runtime.bundle.manifest import Modality
from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.samples import NS_PER_S, Sample
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.bags import RawMessage, Topic
from edgefuse.runtime.streams.bags.bag import Bag
from edgefuse.runtime.streams.bags.decoding import own_stamp_ns
from edgefuse.runtime.streams.mixdown import check_channel
from edgefuse.runtime.streams.pacer import Pacer, wake_on_time
from edgefuse.runtime.streams.recorded_runs import ClockStep, RecordedRuns, Times, divide, stands_still
from edgefuse.runtime.streams.topic_choice import choose_topics, how_to_choose, listed
from edgefuse.runtime.streams.track import KINDS, WITHOUT_STAMP, open_track

_RATE_HZ = 16_000
_BETWEEN_RUNS_NS = NS_PER_S  # so that no window reaches across, not even of a recording of what is replayed

_MODALITIES = get_args(get_args(Modality)[0])

log = logging.getLogger(__name__)


class Recording(Stream):
    """Yields the samples of a bag's topics, each when it would have been sensed; needs no ROS.

    `path` is a file (MCAP, or sqlite3: .db3) or a directory of them, as rosbag2 makes it. A topic is chosen by its
    message type: images (sensor_msgs Image, CompressedImage), sound (edgefuse_msgs AudioChunk, audio_common_msgs), text
    (std_msgs String), edgefuse_msgs Signal; and by its name, where a type may mean other things as well: see
    topic_choice.py. `senses` are those wanted; by default one of each kind, named after it, with sound at 16 kHz. Sound
    becomes mono at the rate of its sense: the mean of its channels, or `channel`, counted from 0. What edgefuse
    recorded goes to the sense of the same name; a topic of others goes to the first sense of its kind. `topics`
    {sense: topic} chooses where that does not fit; it alone chooses std_msgs UInt8MultiArray, as sound that an
    audio_common_msgs AudioInfo describes.

    Replayed in real time (`live`), stamps are on the monotonic clock and begin when the iteration does; otherwise they
    begin at 0. They keep the distances of the messages' own stamps (`header.stamp`), or of the log times for messages
    without one, and for all where the two are on different clocks (simulated time).

    Where the log's clock, or that of a publisher, was set back, another run begins, a second after the last one ended:
    samples say which one they are of, and nothing of two runs is mixed. That is logged as a warning, once.

    A file that was cut off is replayed to where it breaks off, with a warning; messages that are damaged are skipped,
    counted (`skipped`) and said. Raises StreamError if the bag is missing, damaged, holds nothing to replay, or more
    than one topic for a sense.
    """

    def __init__(
        self,
        path: str | Path,
        live: bool = True,
        topics: Mapping[str, str] | None = None,
        senses: Sequence[Modality] = (),
        channel: int | None = None,
    ) -> None:
        check_kind("live", live, bool)
        check_kind("topics", topics, Mapping, None)
        texts_in("topics", [*(topics or {}), *(topics or {}).values()])
        check_kind("senses", senses, Sequence)
        for sense in senses:
            check_kind("each of senses", sense, *_MODALITIES)
        check_channel(channel)
        path = path_of("path", path)
        self.live, self.name = live, str(path)
        self._bag = Bag(path)
        chosen = choose_topics(self._bag, topics or {}, {sense.name: sense.kind for sense in senses})
        rates_hz = {sense.name: sense.rate_hz for sense in senses if sense.kind == "audio"}
        self._tracks = [
            open_track(self._bag, topic, sense, rates_hz.get(sense, _RATE_HZ), channel)
            for sense, topic in sorted(chosen.items(), key=_turn)
        ]
        for track in self._tracks:
            log.info("%s: %s is replayed from %s", path, track.sense, track.topic.name)
        self._runs = self._divided()
        self._pacer = Pacer()
        if next(self._samples(0), None) is None:
            wanted = f" for {', '.join(sense.name for sense in senses)}" if senses else ""
            raise StreamError(f"{path} holds nothing to replay{wanted}: {self._why_nothing()}")

    @property
    def topics(self) -> dict[str, str]:
        """The topic that each sense is replayed from."""
        return {track.sense: track.topic.name for track in self._tracks}

    @property
    def skipped(self) -> dict[str, int]:
        """How many messages of each sense came to nothing since the iteration began; why is logged at its end."""
        return {track.sense: track.skips.reasons.total() for track in self._tracks}

    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of their `until_ns`; raises StreamError where the bag is damaged."""
        if self.live:
            wake_on_time()
        for track in self._tracks:
            track.skips.restart()
        try:
            yield from self._paced(self._samples(time.monotonic_ns() if self.live else 0))
        finally:
            for track in self._tracks:
                track.skips.sum_up()

    def close(self) -> None:
        """See Stream."""
        self._pacer.stop()

    def _paced(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        for sample in samples:
            if self.live:
                self._pacer.wait_until(sample.until_ns)
            if self._pacer.stopped:
                return
            yield sample

    def _samples(self, begin_ns: int) -> Iterator[Sample]:
        """Those of one run after another, the first of which begins then."""
        messages = [self._bag.messages(track.topic) for track in self._tracks]
        for run in range(len(self._runs.others_clock)):
            until_ns = -1
            for sample in self._run(run, messages, begin_ns):
                until_ns = max(until_ns, sample.until_ns)
                yield sample
            if until_ns >= 0:
                begin_ns = until_ns + _BETWEEN_RUNS_NS

    def _run(self, run: int, messages: list[Iterator[RawMessage]], begin_ns: int) -> Iterator[Sample]:
        by_log_time = bool(self._runs.others_clock[run])
        tracks = []
        for track, those in zip(self._tracks, messages, strict=True):
            samples = track.samples(islice(those, self._runs.lengths[track.topic.name][run]), by_log_time)
            tracks.append((next(samples, None), samples))
        begun = [chain([first], samples) for first, samples in tracks if first is not None]
        offset_ns = begin_ns - min((first.stamp_ns for first, _ in tracks if first is not None), default=0)
        for sample in heapq.merge(*begun, key=lambda sample: sample.until_ns):
            yield replace(sample, stamp_ns=sample.stamp_ns + offset_ns, run=run)

    def _why_nothing(self) -> str:
        """Why no sample came of the bag, and what to do."""
        skipped = [track.skips.in_words() for track in self._tracks if track.skips.reasons]
        if skipped:
            return "; ".join(skipped)
        found = self._bag.topics.values()
        return f"its topics are {listed(found)}; {how_to_choose(found)}"

    def _divided(self) -> RecordedRuns:
        """The runs of the recording, by one look at all messages of its topics; what is odd about them is logged."""
        times = {track.topic.name: Times() for track in self._tracks}
        topics = {track.topic.name: track.topic for track in self._tracks}
        place = 0
        for file in self._bag.files:
            for message in file.messages(topics):
                own_ns = None if topics[message.topic].type in WITHOUT_STAMP else own_stamp_ns(message.data)
                times[message.topic].add(place, message.log_ns, own_ns)
                place += 1
        runs = divide(times)
        self._warn_of(runs, times)
        return runs

    def _warn_of(self, runs: RecordedRuns, times: Mapping[str, Times]) -> None:
        path = self._bag.path
        if runs.steps:
            log.warning("%s: %s: a new run begins there", path, _in_words(runs.steps, times))
        others = sorted(frozenset().union(*runs.others_clock))
        still = [topic for topic in others if stands_still(times[topic])]
        if still:
            log.warning("%s: the stamps of %s stand still; log times are used", path, ", ".join(still))
        others = [topic for topic in others if topic not in still]
        if others:
            log.warning("%s: the stamps of %s are not on the log's clock; log times are used", path, ", ".join(others))
        for track in self._tracks:
            of = times[track.topic.name]
            if track.topic.type not in WITHOUT_STAMP and of.own_ns and not any(of.own_ns):
                log.warning("%s: the stamps of %s are zero; its log times are used", path, track.topic.name)


def _in_words(steps: Sequence[ClockStep], times: Mapping[str, Times]) -> str:
    """Where, and by how much, clocks are set."""
    step = steps[0]
    after_ns = step.before_ns - min(of.log_ns[0] for of in times.values() if of.log_ns)
    whose = f"the stamps of {step.topic} are" if step.of_stamps else "its clock is"
    how = f"set {'back' if step.by_ns < 0 else 'forward'} by {abs(step.by_ns) / NS_PER_S:.1f} s"
    more = f", and clocks {len(steps) - 1} times more" if len(steps) > 1 else ""
    return f"{whose} {how} after {after_ns / NS_PER_S:.1f} s{more}"


def _turn(chosen: tuple[str, Topic]) -> tuple[int, str]:
    """Whose samples come first of those of one moment, in whatever order a bag has its topics."""
    sense, topic = chosen
    return list(KINDS).index(topic.type), sense
