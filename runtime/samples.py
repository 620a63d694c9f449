"""Samples: one stamped piece of one sense.

`stamp_ns` is the time at which the piece was SENSED, not when it arrived: nanoseconds of the monotonic clock for live
streams, of the recording's own time for recordings. A piece that lasts (sound, signal) is stamped at its first value.
`run` counts how often the clock of its source was set back before: pieces of two runs have nothing to do with each
other. Only a recording knows; live, it is seen by the stamps (continuity.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

NS_PER_S = 1_000_000_000

FrameEncoding: TypeAlias = Literal["rgb8", "bgr8"]
"""The colour order of a picture, as ROS names it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, uint8 (height, width, 3); `encoding` names the colour order as ROS does.

    `frame_id` is the coordinate frame of the camera that took it (REP-105, such as camera_optical_frame), empty where
    nobody says.
    """

    stamp_ns: int
    image: np.ndarray
    encoding: FrameEncoding = "rgb8"
    modality: str = "image"
    frame_id: str = ""
    run: int = 0

    @property
    def until_ns(self) -> int:
        """When the whole sample was there."""
        return self.stamp_ns


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Mono sound, float32 (samples,) in -1..1; `index` counts samples since the stream began, so a gap shows.

    `stamp_ns` is when its FIRST sample was sensed, not when the chunk was whole.
    """

    stamp_ns: int
    pcm: np.ndarray
    rate_hz: int
    index: int
    modality: str = "audio"
    run: int = 0

    @property
    def until_ns(self) -> int:
        """When its last value was sensed."""
        return self.stamp_ns + len(self.pcm) * NS_PER_S // self.rate_hz


@dataclass(frozen=True, slots=True)
class Text:
    """What was typed or transcribed."""

    stamp_ns: int
    text: str
    modality: str = "text"
    run: int = 0

    @property
    def until_ns(self) -> int:
        """When the whole sample was there."""
        return self.stamp_ns


@dataclass(frozen=True, slots=True)
class Signal:
    """A piece of a fixed-rate vector series, float32 (samples, channels); `index` counts samples like AudioChunk's.

    `stamp_ns` is when its FIRST vector was sensed, not when the piece was whole: a piece stamped at its end lies in the
    future, and is refused.
    """

    stamp_ns: int
    values: np.ndarray
    rate_hz: float
    index: int
    modality: str = "signal"
    run: int = 0

    @property
    def until_ns(self) -> int:
        """When its last value was sensed."""
        return self.stamp_ns + round(len(self.values) * NS_PER_S / self.rate_hz)


Sample: TypeAlias = Frame | AudioChunk | Text | Signal
"""A piece of any sense."""
