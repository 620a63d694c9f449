"""Sound and signals as they come in messages, made into series whose samples are counted."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edgefuse.runtime import AudioChunk, SampleError, Signal
from edgefuse.runtime.bundle.manifest import Modality, SignalModality
from edgefuse.runtime.messages.ros_signals import signal_from_fields
from edgefuse.runtime.messages.ros_sounds import (
    AUDIO_CHUNK,
    FORMAT_ELSEWHERE,
    UNSTAMPED,
    SoundFormat,
    SoundReader,
    format_from_audio_info,
)
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.streams.mixdown import Mixdown
from edgefuse.runtime.streams.soundtrack import Soundtrack, chunk_of_message
from edgefuse_ros.parameters import ParameterError


class Sound:
    """One topic of sound in messages of one type, made mono at the rate that the bundle wants.

    It is the mean of the messages' channels, or `channel`, counted from 0.
    """

    def __init__(self, rate_hz: int, sense: str, type_name: str = AUDIO_CHUNK, channel: int | None = None) -> None:
        self._rate_hz = rate_hz
        self._sense = sense
        self._type = type_name
        self._mixdown = Mixdown(sense, channel)
        self._track = Soundtrack(rate_hz, sense, self._mixdown)
        self._reader = None if type_name in FORMAT_ELSEWHERE else SoundReader(type_name, SoundFormat(), sense)

    def restart(self) -> None:
        """Sound begins anew; how it is encoded is still known."""
        self._track = Soundtrack(self._rate_hz, self._sense, self._mixdown)
        if self._reader is not None:
            self._reader.restart()

    def inform(self, info: Any, stamp_ns: int) -> None:
        """An audio_common_msgs/AudioInfo says how the sound is encoded; StreamError if it is coded (mp3)."""
        known, self._reader = self._reader, None
        form = format_from_audio_info(info)
        self._reader = known if known is not None and known.form == form else SoundReader(self._type, form, self._sense)

    def chunk(self, message: Any, stamp_ns: int) -> AudioChunk | None:
        """None while resampling holds it back.

        Raises SampleError for one that is empty, not as it says, or of which nothing says how it is encoded.
        """
        if self._reader is None:
            raise SampleError("is of no use until an AudioInfo says how it is encoded")
        first_ns = None if self._type in UNSTAMPED else stamp_ns
        return chunk_of_message(self._track, self._reader, message, first_ns, stamp_ns)


@dataclass(slots=True)
class MappedSignal:
    """One topic whose messages hold one vector each, numbered by their stamps."""

    type: type[Any]
    sense: SignalModality
    fields: Sequence[str]
    _first_ns: int | None = field(default=None, init=False)

    def signal(self, message: Any, stamp_ns: int) -> Signal:
        """Raises SampleError where a field is missing."""
        if self._first_ns is None:
            self._first_ns = stamp_ns
        index = round((stamp_ns - self._first_ns) * self.sense.rate_hz / NS_PER_S)
        return signal_from_fields(message, self.fields, stamp_ns, self.sense.rate_hz, index, self.sense.name)


def mapped_signals(mappings: Sequence[str], senses: Sequence[Modality]) -> dict[str, MappedSignal]:
    """From lines such as 'touch geometry_msgs/msg/WrenchStamped wrench.force.x'; raises ParameterError."""
    mapped = [_mapped(line, senses) for line in mappings]
    return {signal.sense.name: signal for signal in mapped}


def _mapped(line: str, senses: Sequence[Modality]) -> MappedSignal:
    if len(line.split()) < 3:
        raise ParameterError(f"signals: {line!r} should be SENSE PACKAGE/msg/TYPE FIELD ...")
    name, type_name, *fields = line.split()
    signals = {sense.name: sense for sense in senses if sense.kind == "signal"}
    if name not in signals:
        raise ParameterError(f"signals: {line!r}: the bundle's signals are {', '.join(signals) or 'none'}")
    if len(fields) != signals[name].channels:
        raise ParameterError(f"signals: {line!r} names {len(fields)} fields, {name} has {signals[name].channels}")
    return MappedSignal(message_type(type_name, "signals"), signals[name], fields)


def message_type(name: str, parameter: str) -> type[Any]:
    """From PACKAGE/msg/TYPE; raises ParameterError where it is not installed."""
    try:
        package, kind, short = name.split("/")
        found: type[Any] = getattr(importlib.import_module(f"{package}.{kind}"), short)
    except (ValueError, ImportError, AttributeError) as error:
        raise ParameterError(f"{parameter}: {name!r} is no message type that is installed: {error}") from error
    return found
