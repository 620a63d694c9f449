"""The resampler: sound at the device's rate becomes sound at the model's, without losing count of the samples."""

from __future__ import annotations

import numpy as np
import soxr


class Resampler:
    """Streams mono float32 from `source_hz` to `rate_hz`; where samples are missing it starts afresh behind the gap.

    An output sample with index m was sensed when the (fractional) source sample m * source_hz / rate_hz was.
    """

    def __init__(self, source_hz: int, rate_hz: int) -> None:
        self.source_hz = source_hz
        self.rate_hz = rate_hz
        self._next_source: int | None = None
        self._next = 0
        self._stream = self._fresh()

    def resample(self, index: int, pcm: np.ndarray) -> tuple[int, np.ndarray]:
        """The index, at `rate_hz`, of the first sample that is now known, and the samples (perhaps none yet).

        `index` counts source samples, lost ones too. The filter's few milliseconds before a gap join the gap.
        """
        if index != self._next_source:
            self._stream = self._fresh()
            self._next = max(self._next, round(index * self.rate_hz / self.source_hz))
        self._next_source = index + len(pcm)
        resampled = pcm if self.source_hz == self.rate_hz else self._stream.resample_chunk(pcm)
        first = self._next
        self._next += len(resampled)
        return first, resampled

    def rest(self) -> tuple[int, np.ndarray]:
        """No more samples come: what the filter held back, as `resample` gives it. The next ones begin afresh."""
        resampled = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        first, self._next_source = self._next, None
        self._next += len(resampled)
        return first, resampled

    def _fresh(self) -> soxr.ResampleStream:
        return soxr.ResampleStream(self.source_hz, self.rate_hz, 1, dtype="float32")
