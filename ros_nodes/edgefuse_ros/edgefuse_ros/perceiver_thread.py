"""A perceiver at work: samples are pushed in from anywhere, its percepts are handed on in a thread of its own."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

import numpy as np

from edgefuse.runtime import Perceiver, Percept, Sample
from edgefuse.runtime.samples import NS_PER_S
from edgefuse_ros.faults import Faults

_JOIN_TIMEOUT_S = 5.0
_RETRY_S = 1.0
_KEPT_S = 5.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The percepts of the last 5 s: how many a second, and their latency from sensed to published."""

    rate_hz: float
    latency_p50_ms: float | None
    latency_p99_ms: float | None


class PerceiverThread:
    """Owns the perceiver and the thread that runs it. `push` is for any thread, all else for the node's."""

    def __init__(
        self,
        perceiver: Perceiver,
        publish: Callable[[Percept, Perceiver], None],
        faults: Faults,
    ) -> None:
        self.perceiver = perceiver
        self.latest: Percept | None = None
        self.heard_s: dict[str, float] = {}
        self.taken: Counter[str] = Counter()
        self.stamp_age_s: dict[str, float] = {}
        self._publish = publish
        self._faults = faults
        self._run: _Run | None = None
        self._latencies: deque[tuple[float, float]] = deque(maxlen=10_000)

    @property
    def started_s(self) -> float | None:
        """Since when it runs, on the monotonic clock [s]; None while it does not."""
        return None if self._run is None else self._run.started_s

    def start(self) -> None:
        """Begin to perceive."""
        self.heard_s, self.stamp_age_s = {}, {}
        self.taken = Counter()
        self._run = _Run(self.perceiver, self._deliver, self._faults)

    def stop(self) -> None:
        """Cease; what is pushed from now on is dropped. The engines stay loaded."""
        run, self._run = self._run, None
        if run is not None:
            run.stop()

    def push(self, sample: Sample) -> None:
        """See Perceiver.push."""
        if self._run is None:
            return
        self.stamp_age_s[sample.modality] = (self.perceiver.now_ns() - sample.until_ns) / NS_PER_S
        if self.perceiver.push(sample, copy=False):  # nobody writes into a message that was received
            self.heard_s[sample.modality] = monotonic()
            self.taken[sample.modality] += 1

    def swap(self, perceiver: Perceiver) -> None:
        """From the next sample on another perceiver gets them; the old one finishes what it has."""
        old, self.perceiver = self._run, perceiver
        if old is not None:
            self._run = _Run(perceiver, self._deliver, self._faults)
            old.stop()

    def figures(self) -> Figures:
        """How it goes."""
        since_s = max(monotonic() - _KEPT_S, self.started_s or 0.0)
        recent_ms = [latency_ms for at_s, latency_ms in list(self._latencies) if at_s >= since_s]
        rate_hz = len(recent_ms) / max(monotonic() - since_s, 1e-3)
        if not recent_ms:
            return Figures(rate_hz, None, None)
        p50_ms, p99_ms = np.percentile(recent_ms, [50, 99]).tolist()
        return Figures(rate_hz, p50_ms, p99_ms)

    def silent_s(self) -> Mapping[str, float]:
        """For how long each sense has sent nothing usable [s], since the start at the longest."""
        now_s = monotonic()
        started_s = self.started_s or now_s
        return {sense: now_s - self.heard_s.get(sense, started_s) for sense in self.perceiver.senses}

    def _deliver(self, percept: Percept, perceiver: Perceiver) -> None:
        self.latest = percept
        self._latencies.append((monotonic(), percept.trace.latency_ms))
        self._publish(percept, perceiver)


class _Run:
    """One thread over one perceiver; an error in it is counted, and it goes on a second later."""

    def __init__(self, perceiver: Perceiver, deliver: Callable[[Percept, Perceiver], None], faults: Faults) -> None:
        self.started_s = monotonic()
        self._perceiver = perceiver
        self._deliver = deliver
        self._faults = faults
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._perceive, name="perceiver", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._perceiver.close()
        self._thread.join(_JOIN_TIMEOUT_S)

    def _perceive(self) -> None:
        while not self._stopping.is_set():
            with self._faults.border("perceiver"):
                for percept in self._perceiver.perceive():
                    with self._faults.border("percepts"):
                        self._deliver(percept, self._perceiver)
            if not self._stopping.is_set():
                self._stopping.wait(_RETRY_S)
