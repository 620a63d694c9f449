"""A track: one topic of a recording as the samples of one sense."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.messages.ros_images import frame_from_compressed_image, frame_from_image
from edgefuse.runtime.messages.ros_sounds import (
    AUDIO_CHUNK,
    AUDIO_DATA,
    AUDIO_DATA_STAMPED,
    AUDIO_INFO,
    AUDIO_STAMPED,
    FORMAT_ELSEWHERE,
    SoundFormat,
    format_from_audio_info,
    sound_from_message,
)
from edgefuse.runtime.samples import NS_PER_S, AudioChunk, Sample, Signal, Text
from edgefuse.runtime.streams.mcap_file import McapFile
from edgefuse.runtime.streams.soundtrack import Soundtrack

# What can be replayed: message type -> kind of sense.
KINDS: Final = {
    "sensor_msgs/msg/Image": "image",
    "sensor_msgs/msg/CompressedImage": "image",
    AUDIO_CHUNK: "audio",
    AUDIO_DATA: "audio",
    AUDIO_DATA_STAMPED: "audio",
    AUDIO_STAMPED: "audio",
    "std_msgs/msg/String": "text",
    "edgefuse_msgs/msg/Signal": "signal",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Track:
    """One topic, read as `modality`; `rate_hz` is that of the sound to make of it."""

    file: McapFile
    topic: str
    type: str
    modality: str
    rate_hz: int

    @property
    def kind(self) -> str:
        """image, audio, text or signal."""
        return KINDS[self.type]

    def stamp_ahead_ns(self) -> int | None:
        """By how much the first message's own stamp is ahead of its log time; None without a stamp or a message."""
        for log_ns, message in self.file.messages(self.topic):
            stamp_ns = _own_stamp_ns(message)
            return None if stamp_ns is None else stamp_ns - log_ns
        return None

    def samples(self, offset_ns: int, by_log_time: bool) -> Iterator[Sample]:
        """All samples, `offset_ns` added to their stamps (ROS time); messages that are damaged are skipped.

        The stamp is the message's own; its log time where it has none, or with `by_log_time`, which then counts as the
        time when the whole message was sensed. Raises StreamError for data that are of no use at all.
        """
        ear = _Ear(self) if self.kind == "audio" else None
        skipped = 0
        for log_ns, message in self.file.messages(self.topic):
            own_ns = None if by_log_time else _own_stamp_ns(message)
            try:
                sample = self._sample(message, own_ns and own_ns + offset_ns, log_ns + offset_ns, ear)
            except SampleError as error:
                if not skipped:
                    self._warn(f"a message of {self.topic} was skipped (more such silently): it {error}")
                skipped += 1
                continue
            if sample is not None:
                yield sample

    def _sample(self, message: Any, own_ns: int | None, log_ns: int, ear: _Ear | None) -> Sample | None:
        if isinstance(message, SampleError):
            raise message
        if ear is not None:
            return ear.chunk(message, own_ns, log_ns)
        stamp_ns = log_ns if own_ns is None else own_ns
        if self.kind == "text":
            return Text(stamp_ns, message.data, self.modality)
        if self.kind == "signal":
            channels, rate_hz = message.channels, message.sample_rate
            if rate_hz <= 0 or channels < 1 or len(message.data) % channels:
                raise SampleError(f"holds {len(message.data)} numbers, of {channels} channels at {rate_hz} Hz")
            values = np.asarray(message.data, np.float32).reshape(-1, channels)
            return Signal(stamp_ns, values, rate_hz, message.index, self.modality)
        if self.type.endswith("CompressedImage"):
            return frame_from_compressed_image(message, stamp_ns, self.modality)
        return frame_from_image(message, stamp_ns, self.modality)

    def sound_format(self) -> SoundFormat | None:
        """What the file says of sound whose messages do not say it themselves; None where they do."""
        if self.type not in FORMAT_ELSEWHERE:
            return None
        for topic in self.file.topics.values():
            if topic.type == AUDIO_INFO:
                return next((format_from_audio_info(message) for _, message in self.file.messages(topic.name)), None)
        form = SoundFormat()
        self._warn(f"nothing says how {self.topic} is encoded: taken for {form}")
        return form

    def _warn(self, what: str) -> None:
        log.warning("%s: %s", self.file.path, what)


class _Ear:
    """Makes audio chunks of a track's messages, one after another."""

    def __init__(self, track: Track) -> None:
        self._type = track.type
        self._format = track.sound_format() or SoundFormat()
        self._soundtrack = Soundtrack(track.rate_hz, track.modality)

    def chunk(self, message: Any, own_ns: int | None, log_ns: int) -> AudioChunk | None:
        """`own_ns` is when the first sample was sensed; without it, the last one was at `log_ns`."""
        sound = sound_from_message(message, self._type, self._format)
        first_ns = log_ns - len(sound.pcm) * NS_PER_S // sound.rate_hz if own_ns is None else own_ns
        return self._soundtrack.chunk(sound, first_ns)


def _own_stamp_ns(message: Any) -> int | None:
    header = getattr(message, "header", None)
    if header is None:
        return None
    stamp_ns: int = header.stamp.sec * NS_PER_S + header.stamp.nanosec
    return stamp_ns or None
