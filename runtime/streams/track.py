"""A track: one topic of a recording as the samples of one sense."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from edgefuse.runtime.errors import SampleError, StreamError
from edgefuse.runtime.messages.ros_images import frame_from_compressed_image, frame_from_image
from edgefuse.runtime.messages.ros_signals import signal_from_message
from edgefuse.runtime.messages.ros_sounds import (
    AUDIO_CHUNK,
    AUDIO_DATA,
    AUDIO_DATA_STAMPED,
    AUDIO_INFO,
    AUDIO_STAMPED,
    FORMAT_ELSEWHERE,
    UINT8_ARRAY,
    UNSTAMPED,
    SoundFormat,
    SoundReader,
    format_from_audio_info,
)
from edgefuse.runtime.messages.ros_stamps import stamp_ns_from_header
from edgefuse.runtime.samples import NS_PER_S, Sample, Text
from edgefuse.runtime.streams.bags import RawMessage, Topic, in_one_line
from edgefuse.runtime.streams.bags.bag import Bag
from edgefuse.runtime.streams.bags.decoding import Decode, decoder_of
from edgefuse.runtime.streams.mixdown import Mixdown
from edgefuse.runtime.streams.recorded_runs import CLOCKS_APART_NS
from edgefuse.runtime.streams.skips import Skips
from edgefuse.runtime.streams.soundtrack import Soundtrack, chunk_of_message

_STRING: Final = "std_msgs/msg/String"

# What can be replayed: message type -> kind of sense.
KINDS: Final[Mapping[str, str]] = {
    "sensor_msgs/msg/Image": "image",
    "sensor_msgs/msg/CompressedImage": "image",
    AUDIO_CHUNK: "audio",
    AUDIO_DATA: "audio",
    AUDIO_DATA_STAMPED: "audio",
    AUDIO_STAMPED: "audio",
    UINT8_ARRAY: "audio",
    _STRING: "text",
    "edgefuse_msgs/msg/Signal": "signal",
}
WITHOUT_STAMP: Final = (_STRING, *UNSTAMPED)
"""Types whose messages do not say when they were sensed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Track:
    """One topic, read as `sense`; `rate_hz` is that of the sound to make of it, by `reader` and `mixdown`.

    `where` is the recording, for what is logged; `skips` counts the messages that came to nothing.
    """

    where: str
    topic: Topic
    sense: str
    rate_hz: int
    reader: SoundReader
    mixdown: Mixdown
    decode: Decode
    skips: Skips

    @property
    def kind(self) -> str:
        """image, audio, text or signal."""
        return KINDS[self.topic.type]

    def samples(self, messages: Iterable[RawMessage], by_log_time: bool) -> Iterator[Sample]:
        """All samples of one run's messages, stamped in ROS time; what is damaged is skipped, counted and said.

        The stamp is the message's own; its log time where it has none, or with `by_log_time`, which then counts as the
        time when the whole message was sensed. Raises StreamError for data that are of no use at all.
        """
        soundtrack = Soundtrack(self.rate_hz, self.sense, self.mixdown)
        self.reader.restart()
        for message in messages:
            self.skips.messages += 1
            try:
                with _naming(self.topic, self.where):
                    content = self.decode(message.data)
                    own_ns = None if by_log_time else self._own_ns(content, message.log_ns)
                    sample = self._sample(content, own_ns, message.log_ns, soundtrack)
            except SampleError as error:
                self.skips.add(error)
                continue
            if sample is not None:
                yield sample
        rest = soundtrack.rest()
        if rest is not None:
            yield rest

    def _own_ns(self, content: Any, log_ns: int) -> int | None:
        """The stamp of its header, if it has one; raises SampleError if that is damaged, since others' fit the log."""
        stamp_ns = stamp_ns_from_header(content)
        if stamp_ns is not None and abs(stamp_ns - log_ns) > CLOCKS_APART_NS:
            apart_s = abs(stamp_ns - log_ns) / NS_PER_S
            raise SampleError(f"is stamped {apart_s:.0f} s off the time at which it was logged")
        return stamp_ns

    def _sample(self, content: Any, own_ns: int | None, log_ns: int, soundtrack: Soundtrack) -> Sample | None:
        if self.kind == "audio":
            return chunk_of_message(soundtrack, self.reader, content, own_ns, log_ns)
        stamp_ns = log_ns if own_ns is None else own_ns
        if self.kind == "text":
            return Text(stamp_ns, content.data, self.sense)
        if self.kind == "signal":
            return signal_from_message(content, stamp_ns, self.sense)
        if self.topic.type.endswith("CompressedImage"):
            return frame_from_compressed_image(content, stamp_ns, self.sense)
        return frame_from_image(content, stamp_ns, self.sense)


def open_track(bag: Bag, topic: Topic, sense: str, rate_hz: int, channel: int | None) -> Track:
    """The track of a topic; of sound, of this channel of it. StreamError where nothing says what its messages hold."""
    form = _sound_format(bag, topic) if topic.type in FORMAT_ELSEWHERE else SoundFormat()
    name, skips = f"{bag.path}: {topic.name}", Skips(str(bag.path), topic.name)
    reader, mixdown = SoundReader(topic.type, form, name), Mixdown(name, channel)
    return Track(str(bag.path), topic, sense, rate_hz, reader, mixdown, decoder_of(topic, bag.path), skips)


@contextmanager
def _naming(topic: Topic, where: object) -> Iterator[None]:
    """Raises StreamError, naming the topic, for messages of no use, and where the bag defines their type otherwise."""
    try:
        yield
    except StreamError as error:
        raise StreamError(f"{where}: {topic.name}: {error}") from error
    except (AttributeError, TypeError) as error:
        raise StreamError(f"{where}: what it calls {topic.type} is something else: {error}") from error
    except SampleError:
        raise
    except Exception as error:  # whatever a library raises is this message's fault
        raise SampleError(f"cannot be read: {in_one_line(error)}") from error


def _sound_format(bag: Bag, topic: Topic) -> SoundFormat:
    """What the bag says of sound whose messages do not say it themselves."""
    for info in _infos_of(bag, topic):
        decode = decoder_of(info, bag.path)
        for message in bag.messages(info):
            with suppress(SampleError), _naming(info, bag.path):
                return format_from_audio_info(decode(message.data))
    if topic.type == UINT8_ARRAY:
        raise StreamError(f"{bag.path}: nothing says how {topic.name} is encoded: record an {AUDIO_INFO} beside it")
    form = SoundFormat()
    log.warning("%s: nothing says how %s is encoded: taken for %s", bag.path, topic.name, form)
    return form


def _infos_of(bag: Bag, topic: Topic) -> list[Topic]:
    """The topics that may say how this one is encoded: of several, that one whose name says so, or all beside it.

    Raises StreamError where no name tells which it is.
    """
    infos = [info for info in bag.topics.values() if info.type == AUDIO_INFO and info.of_ros2]
    if len(infos) < 2:
        return infos
    of_name = [info for info in infos if info.name == f"{topic.name}_info"]
    beside = [info for info in infos if info.name.rpartition("/")[0] == topic.name.rpartition("/")[0]]
    found = of_name or beside
    if len(found) != 1:
        names = ", ".join(info.name for info in infos)
        raise StreamError(f"{bag.path}: which of {names} says how {topic.name} is encoded is not told by their names")
    return found
