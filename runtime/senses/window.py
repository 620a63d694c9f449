"""The inlet of a series: the last seconds of sound or of a signal."""

from __future__ import annotations

import math

import numpy as np

from edgefuse.runtime.bundle.manifest import AudioModality, SignalModality
from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import AudioChunk, Frame, Sample, Text
from edgefuse.runtime.senses.continuity import Continuity
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence

LOUDEST = 8.0
"""Of sound, whose full scale is 1. What is louder was scaled wrong, and a network would be confidently wrong of it."""


class Window:
    """The newest `window_samples`, ready once per hop.

    Nothing is dropped to catch up. Samples that are missing, see Continuity, become zeros of the same length, so that
    the window never silently shortens; so do those before the stream began.
    """

    def __init__(self, modality: AudioModality | SignalModality, drops: Drops) -> None:
        channels = () if modality.kind == "audio" else (modality.channels,)
        self._modality = modality
        self._drops = drops
        self._size = modality.window_samples
        self._limit = LOUDEST if modality.kind == "audio" else None
        self._ring = np.zeros((2 * self._size, *channels), np.float32)
        self._end = self._size
        self._continuity = Continuity(modality.rate_hz)
        self._fresh = 0
        self._until_ns = 0
        self._received_ns = 0

    def put(self, sample: Sample, received_ns: int) -> None:
        """Raises SampleError for another rate or shape, values not finite or too loud, and samples had before."""
        if isinstance(sample, (Frame, Text)):
            raise SampleError(f"should be {self._modality.kind}, but is a {type(sample).__name__}")
        values = sample.pcm if isinstance(sample, AudioChunk) else sample.values
        self._check(values, sample.rate_hz)
        self._fill_gap(sample.index, len(values), sample.stamp_ns - self._until_ns)
        self._append(values)
        self._until_ns, self._received_ns = sample.until_ns, received_ns

    def ready(self) -> bool:
        """Whether a hop or more has come since the last `take`."""
        return self._fresh >= self._modality.hop_samples

    def take(self) -> Evidence:
        """A copy of the window, float32 (1, window_samples[, channels]), stamped at its last sample."""
        hops, self._fresh = divmod(self._fresh, self._modality.hop_samples)
        self._drops.count(self._modality.name, "overtaken", hops - 1)
        window = self._ring[None, self._end - self._size : self._end]
        return Evidence(self._modality.name, self._until_ns, self._received_ns, window.copy())

    def _check(self, values: np.ndarray, rate_hz: float) -> None:
        if rate_hz != self._modality.rate_hz:
            raise SampleError(f"should be at {self._modality.rate_hz} Hz, but is at {rate_hz} Hz")
        channels = self._ring.shape[1:]
        if values.dtype != np.float32 or values.ndim != self._ring.ndim or values.shape[1:] != channels:
            raise SampleError(f"should be float32 {('samples', *channels)}, but is {values.dtype} {values.shape}")
        with np.errstate(all="ignore"):  # numbers that are too large are refused below, not warned of
            total = np.add.reduce(values, axis=None)
        if not math.isfinite(total):
            raise SampleError("holds NaN or infinity", "not_finite")
        if self._limit is not None and len(values):
            loudest = float(max(values.max(), -values.min()))
            if loudest > self._limit:
                raise SampleError(f"should be sound in -1..1, but holds {loudest:.3g}", "out_of_range")

    def _fill_gap(self, index: int, count: int, late_ns: int) -> None:
        before = self._continuity.missing
        self._continuity.place(index, count, late_ns)
        missing = self._continuity.missing - before
        if missing:
            self._drops.count(self._modality.name, "gap", missing)
            self._append(np.zeros((min(missing, self._size), *self._ring.shape[1:]), np.float32))

    def _append(self, values: np.ndarray) -> None:
        """After the window, which moves to the front of the ring only where there is no room left."""
        newest = values[-self._size :]
        if self._end + len(newest) > len(self._ring):
            kept = self._size - len(newest)
            self._ring[:kept] = self._ring[self._end - kept : self._end]
            self._end = kept
        self._ring[self._end : self._end + len(newest)] = newest
        self._end += len(newest)
        self._fresh += len(values)
