"""What was seen and heard over a while, kept small: brightness of the picture's cells, and the sound."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgefuse.runtime.errors import CalibrationError, SampleError
from edgefuse.runtime.samples import NS_PER_S, AudioChunk, Frame, Sample
from edgefuse.runtime.senses.sample_check import checked
from edgefuse.runtime.streams import Stream

log = logging.getLogger(__name__)

CELLS = (24, 16)  # across and down
_LOOK_EVERY_S = 0.1
_JOIN_TIMEOUT_S = 5.0
_MOST_APART = 0.1
"""By so much of the time the count of samples may differ from it: clocks drift by a thousandth of that."""
_TO_START_S = 5.0
"""What devices may take to begin."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Frames: `times_s` (frames,) and the mean brightness 0..255 of each cell, float32 (frames, down, across)."""

    times_s: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound: float32 (samples,) without gaps, and anchors (index of a sample, when it was sensed) of all its pieces."""

    pcm: np.ndarray
    rate_hz: int
    anchors: np.ndarray

    def times_s(self, indices: np.ndarray) -> np.ndarray:
        """When samples were sensed; between anchors in proportion, so that a clock that drifts is followed."""
        index, stamp_s = self.anchors.T
        inside = np.interp(indices, index, stamp_s)
        return np.asarray(inside + np.maximum(0, np.asarray(indices) - index[-1]) / self.rate_hz)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / self.rate_hz


class Witness:
    """Takes the samples of one camera and one microphone, from any thread; times count from the first of them [s]."""

    def __init__(self) -> None:
        self._beginning = threading.Lock()
        self._begin_ns: int | None = None
        self.refused = 0
        self._frames: list[tuple[int, np.ndarray]] = []
        self._chunks: list[AudioChunk] = []

    def take(self, sample: Sample) -> None:
        """One more sample; others than frames and sound are passed over, and what makes no sense is counted."""
        try:
            sample = checked(sample)
            if isinstance(sample, AudioChunk) and not np.isfinite(sample.pcm).all():
                raise SampleError("holds NaN or infinity", "not_finite")
        except SampleError as error:
            if not self.refused:
                log.warning("a sample of %s was skipped (more such are only counted): it %s", sample.modality, error)
            self.refused += 1
            return
        with self._beginning:
            if self._begin_ns is None:
                self._begin_ns = sample.stamp_ns
        if isinstance(sample, Frame):
            gray = cv2.cvtColor(sample.image, cv2.COLOR_BGR2GRAY if sample.encoding == "bgr8" else cv2.COLOR_RGB2GRAY)
            cells = cv2.resize(gray.astype(np.float32), CELLS, interpolation=cv2.INTER_AREA)
            self._frames.append((sample.stamp_ns, cells))
        elif isinstance(sample, AudioChunk) and len(sample.pcm):
            self._chunks.append(sample)

    @property
    def seconds(self) -> float:
        """How much was heard and seen so far."""
        if self._begin_ns is None or not self._frames or not self._chunks:
            return 0.0
        return max(0.0, (min(self._frames[-1][0], self._chunks[-1].until_ns) - self._begin_ns) / NS_PER_S)

    def seen(self) -> Seen:
        """Raises CalibrationError where too little was seen."""
        if len(self._frames) < 3:
            raise CalibrationError(f"{len(self._frames)} frames were seen: a sync needs a camera and a microphone")
        stamps_ns, cells = zip(*self._frames, strict=True)
        return Seen(self._times_s(np.array(stamps_ns)), np.stack(cells))

    def heard(self) -> Heard:
        """What was lost is silence; raises CalibrationError where nothing was heard."""
        if not self._chunks:
            raise CalibrationError("nothing was heard: a sync needs a camera and a microphone")
        first, last = self._chunks[0], self._chunks[-1]
        self._check_count()
        pcm = np.zeros(last.index + len(last.pcm) - first.index, np.float32)
        for chunk in self._chunks:
            pcm[chunk.index - first.index :][: len(chunk.pcm)] = chunk.pcm
        indices = np.array([chunk.index - first.index for chunk in self._chunks], np.float64)
        times_s = self._times_s(np.array([chunk.stamp_ns for chunk in self._chunks]))
        return Heard(pcm, first.rate_hz, np.column_stack([indices, times_s]))

    def _check_count(self) -> None:
        """Raises CalibrationError where the count of the sound's samples does not go on as its time does."""
        first, last = self._chunks[0], self._chunks[-1]
        ends = [chunk.index + len(chunk.pcm) for chunk in self._chunks]
        goes_on = all(chunk.index >= end for chunk, end in zip(self._chunks[1:], ends, strict=False))
        counted_s = (ends[-1] - first.index) / first.rate_hz
        lasted_s = (last.until_ns - first.stamp_ns) / NS_PER_S
        if not goes_on or len({chunk.rate_hz for chunk in self._chunks}) > 1:
            raise CalibrationError("the sound begins anew within the recording; cut out a part where it goes on")
        if abs(counted_s - lasted_s) > _MOST_APART * max(1.0, lasted_s):
            raise CalibrationError(
                f"the sound counts {counted_s:.1f} s of samples in {lasted_s:.1f} s; record it again, at its own rate"
            )

    def _times_s(self, stamps_ns: np.ndarray) -> np.ndarray:
        return np.asarray((stamps_ns - (self._begin_ns or 0)) / NS_PER_S)


def watch(streams: Sequence[Stream], seconds: float, progress: Callable[[float], None]) -> Witness:
    """What the streams sense until they end, or for `seconds` [s] of both; closes them. Raises what a stream raises.

    Where a live one falls silent it is over that long after it began. `progress` is told now and then how many seconds
    there are.
    """
    witness = Witness()
    patience_s = seconds + _TO_START_S if any(stream.live for stream in streams) else math.inf
    over_s = time.monotonic() + patience_s
    errors: list[Exception] = []

    def take_all(stream: Stream) -> None:
        try:
            for sample in stream:
                witness.take(sample)
                if witness.seconds >= seconds:
                    return
        except Exception as error:  # a thread's border: raised below
            errors.append(error)

    threads = [threading.Thread(target=take_all, args=(stream,), daemon=True) for stream in streams]
    try:
        for thread in threads:
            thread.start()
        while not errors and time.monotonic() < over_s and any(thread.is_alive() for thread in threads):
            threads[0].join(_LOOK_EVERY_S)
            progress(min(witness.seconds, seconds))
            if not threads[0].is_alive():
                threads.append(threads.pop(0))
    finally:
        for stream in streams:
            stream.close()
        for thread in threads:
            thread.join(_JOIN_TIMEOUT_S)
    if errors:
        raise errors[0]
    return witness
