"""The intake: takes samples of every sense on one clock, refuses those that do not fit, and hands out the newest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.senses.continuity import SetBack, StampOrder
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence
from edgefuse.runtime.senses.inlets import Inlet

_CLOCK_STEP_NS = 100_000_000
"""A clock that is set back by less is being adjusted; stamps and ages bear that."""

log = logging.getLogger(__name__)


class Intake:
    """One inlet per sense. Thread-safe: streams put, encoders take.

    Stamps are on the clock `now_ns`, at most `future_tolerance_ns` ahead of it. With None no clock runs (a recording
    read as fast as possible), and no sample can be in the future.
    """

    def __init__(
        self, inlets: Mapping[str, Inlet], drops: Drops, now_ns: Callable[[], int], future_tolerance_ns: int | None
    ) -> None:
        self._inlets = inlets
        self._now_ns = now_ns
        self._drops = drops
        self._future_tolerance_ns = future_tolerance_ns
        self._orders = {name: StampOrder() for name in inlets}
        self._source_runs: dict[str, int] = {}
        self._received_ns: int | None = None
        self._lock = threading.Lock()

    def put(self, sample: Sample) -> bool:
        """Take in one sample; False if it was refused, which is counted and, the first time of each kind, logged.

        Raises SetBack where time was set back: nothing of this intake fits what comes from then on.
        """
        with self._lock:
            try:
                self._put(sample, self._now_ns())  # looked at in turn, else a thread that had to wait sets it back
            except SampleError as error:
                self.refuse(sample.modality, error)
                return False
            return True

    def ready(self, sense: str) -> bool:
        """Whether there is something new of this sense."""
        return self._inlets[sense].ready()

    def take(self, sense: str) -> Evidence | None:
        """The newest of this sense, once; None if there is nothing new."""
        with self._lock:
            inlet = self._inlets[sense]
            return inlet.take() if inlet.ready() else None

    def _put(self, sample: Sample, received_ns: int) -> None:
        order = self._orders[sample.modality]
        if self._source_runs.setdefault(sample.modality, sample.run) != sample.run:
            raise SetBack(None)
        if self._future_tolerance_ns is not None:
            self._check_clock(sample, received_ns, self._future_tolerance_ns)
        order.check(sample.stamp_ns)
        self._inlets[sample.modality].put(sample, received_ns)
        order.accept(sample.stamp_ns)

    def _check_clock(self, sample: Sample, received_ns: int, tolerance_ns: int) -> None:
        before_ns = received_ns if self._received_ns is None else self._received_ns
        if received_ns < before_ns - _CLOCK_STEP_NS:
            raise SetBack(before_ns - received_ns)
        self._received_ns = received_ns
        ahead_ns = sample.until_ns - received_ns
        if ahead_ns > tolerance_ns:
            until = f"is stamped {ahead_ns / 1e6:.1f} ms in the future of the perceiver's clock"
            if sample.stamp_ns - received_ns <= tolerance_ns:
                until += " at its last value: it should be stamped at its first value, not at its end"
            raise SampleError(until, "future")

    def refuse(self, sense: str, error: SampleError) -> None:
        """Count a sample that came to nothing, and say the first of its kind."""
        if self._drops.refuse(sense, error):
            log.warning("a sample of %s was skipped (more such are only counted): it %s", sense, error)
