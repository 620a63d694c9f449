"""Sensors that are made up: each sample when it is due, for next to no CPU time, and noted when it was handed over."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from edgefuse.runtime.bundle.manifest import AudioModality, ImageModality, Modality, SignalModality
from edgefuse.runtime.samples import NS_PER_S, AudioChunk, Frame, Sample, Signal, Text
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.pacer import Pacer, wake_on_time

_CHUNK_S = 0.02
_TEXT_EVERY_NS = 2 * NS_PER_S

Content = Sequence[Frame] | Sequence[str] | Sequence[np.ndarray]
"""Frames, texts, or the pieces of a series, each (samples[, channels]), of `samples_per_piece`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When samples are due [ns]: from `start_ns` on one every `period_ns` until `end_ns`; some are a warm-up only."""

    start_ns: int
    counted_ns: int
    end_ns: int
    period_ns: float


class PacedStream(Stream):
    """Yields each sample when it would have been sensed, like a device. `offered` counts those from `counted_ns` on."""

    live = True

    def __init__(self, sense: Modality, content: Content, pace: Pace) -> None:
        self.sense = sense
        self.pace = pace
        self.offered = 0
        self._content = content
        self._due_ns: list[int] = []
        self._handed_ns: list[int] = []
        self._pacer = Pacer()

    def __iter__(self) -> Iterator[Sample]:
        """See Stream."""
        wake_on_time()
        for number in count():
            due_ns = self.pace.start_ns + round(number * self.pace.period_ns)
            if due_ns > self.pace.end_ns:
                return
            sample = self.sample(number, due_ns)
            self._pacer.wait_until(due_ns)
            if self._pacer.stopped:
                return
            self.offered += due_ns >= self.pace.counted_ns
            self._due_ns.append(due_ns)
            self._handed_ns.append(time.monotonic_ns())
            yield sample

    def close(self) -> None:
        """See Stream."""
        self._pacer.stop()

    def handed_ns(self, sensed_ns: int) -> int | None:
        """When what was sensed at that time was handed over; None if it was not."""
        place = bisect_left(self._due_ns, sensed_ns)
        return self._handed_ns[place] if place < len(self._handed_ns) else None

    @property
    def late_ms(self) -> np.ndarray:
        """How late each sample was handed over, those of the warm-up left out: the timer's doing and the machine's."""
        due_ns, handed_ns = np.array(self._due_ns), np.array(self._handed_ns)
        late_ms: np.ndarray = (handed_ns - due_ns)[due_ns >= self.pace.counted_ns] / 1e6
        return late_ms

    def sample(self, number: int, due_ns: int) -> Sample:
        """The sample that is whole at `due_ns`; a series' index goes on from one stream to the next."""
        sense = self.sense
        item = self._content[number % len(self._content)]
        if isinstance(sense, AudioModality | SignalModality):
            assert isinstance(item, np.ndarray)
            size = len(item)
            index = round(self.pace.start_ns * sense.rate_hz / NS_PER_S) + number * size
            stamp_ns = due_ns - round(size * NS_PER_S / sense.rate_hz)
            if isinstance(sense, AudioModality):
                return AudioChunk(stamp_ns, item, sense.rate_hz, index, sense.name)
            return Signal(stamp_ns, item, sense.rate_hz, index, sense.name)
        if isinstance(item, Frame):
            return Frame(due_ns, item.image, item.encoding, sense.name)
        return Text(due_ns, str(item), sense.name)


def samples_per_piece(sense: AudioModality | SignalModality) -> int:
    """Values that a made-up sensor of a series hands over at once."""
    return max(1, round(sense.rate_hz * _CHUNK_S))


def period_ns(sense: Modality, rate_hz: float) -> float:
    """From sample to sample, frames coming at `rate_hz`."""
    if isinstance(sense, ImageModality):
        return NS_PER_S / rate_hz
    if isinstance(sense, AudioModality | SignalModality):
        return samples_per_piece(sense) * NS_PER_S / sense.rate_hz
    return _TEXT_EVERY_NS
