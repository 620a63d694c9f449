"""The aligner: takes samples of every sense on one clock, refuses those that do not fit, and hands out the newest."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.evidence import Evidence
from edgefuse.runtime.inlets import Inlet
from edgefuse.runtime.samples import Sample

_FUTURE_TOLERANCE_NS = 50_000_000

log = logging.getLogger(__name__)


class Aligner:
    """One inlet per sense. Thread-safe: streams put, encoders take.

    `now_ns` is the clock that the stamps are on, or None where no clock runs (a recording read as fast as possible);
    then no sample can be in the future.
    """

    def __init__(self, inlets: Mapping[str, Inlet], now_ns: Callable[[], int] | None) -> None:
        self.now_ns = now_ns
        self._inlets = inlets
        self._last_stamp_ns: dict[str, int] = {}
        self._refused: dict[str, Counter[str]] = {name: Counter() for name in inlets}
        self._lock = threading.Lock()

    def put(self, sample: Sample, received_ns: int) -> bool:
        """Take in one sample; False if it was refused, which is counted and, the first time, logged."""
        with self._lock:
            try:
                self._check_stamp(sample)
                self._inlets[sample.modality].put(sample, received_ns)
            except SampleError as error:
                self._refuse(sample.modality, error)
                return False
            self._last_stamp_ns[sample.modality] = sample.stamp_ns
            return True

    def ready(self, modality: str) -> bool:
        """Whether there is something new of this sense."""
        return self._inlets[modality].ready()

    def take(self, modality: str) -> Evidence | None:
        """The newest of this sense, once; None if there is nothing new."""
        with self._lock:
            inlet = self._inlets[modality]
            return inlet.take() if inlet.ready() else None

    def drops(self) -> dict[str, dict[str, int]]:
        """What did not reach an encoder, by sense and reason.

        `overtaken` counts frames, texts or hops; `gap` the missing values of a series; all others count samples.
        """
        with self._lock:
            counts = {name: Counter(refused) for name, refused in self._refused.items()}
            for name, inlet in self._inlets.items():
                counts[name] += Counter(overtaken=inlet.overtaken, gap=inlet.gap_samples)
            return {name: dict(count) for name, count in counts.items()}

    def _check_stamp(self, sample: Sample) -> None:
        last = self._last_stamp_ns.get(sample.modality)
        if last is not None and sample.stamp_ns <= last:
            raise SampleError(f"is stamped {(last - sample.stamp_ns) / 1e6:.1f} ms before the last one", "out_of_order")
        if self.now_ns is not None and sample.until_ns > self.now_ns() + _FUTURE_TOLERANCE_NS:
            ahead_ms = (sample.until_ns - self.now_ns()) / 1e6
            raise SampleError(f"is stamped {ahead_ms:.1f} ms in the future of the perceiver's clock", "future")

    def _refuse(self, modality: str, error: SampleError) -> None:
        refused = self._refused[modality]
        if not refused[error.reason]:
            log.warning("a sample of %s was skipped (more such are only counted): it %s", modality, error)
        refused[error.reason] += 1
