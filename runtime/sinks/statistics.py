"""What a run amounted to: rates, latencies and the part of each sense, over its percepts."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.arguments import number_in
from edgefuse.runtime.percept import Percept

_LATENCIES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class SenseStatistics:
    """One sense over a run: the share of percepts it was valid in, and its mean weight (if known) and age there."""

    valid_share: float
    mean_weight: float | None
    mean_age_ms: float


class RunStatistics:
    """Counts percepts as they pass; bounded memory (latency percentiles are over the last 10,000)."""

    def __init__(self) -> None:
        self.percepts = 0
        self.contradictions = 0
        self.judged = 0
        self.uncertain = 0
        self.far_prompts = 0
        self.labels: Counter[str] = Counter()
        self._first_ns = self._last_ns = 0
        self._latencies_ms: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._valid: Counter[str] = Counter()
        self._weights: dict[str, float] = {}
        self._ages_ms: defaultdict[str, float] = defaultdict(float)

    def write(self, percept: Percept) -> None:
        """See Sink."""
        if self.percepts == 0:
            self._first_ns = percept.stamp_ns
        self._last_ns = percept.stamp_ns
        self.percepts += 1
        self.contradictions += percept.contradiction
        self.judged += percept.certain is not None
        self.uncertain += percept.certain is False
        self.far_prompts += percept.far_prompt is True
        self.labels[percept.label] += 1
        self._latencies_ms.append(percept.trace.latency_ms)
        for name, sense in percept.senses.items():
            self._valid[name] += sense.valid
            if sense.valid and sense.age_ms is not None:
                self._ages_ms[name] += sense.age_ms
                if sense.weight is not None:
                    self._weights[name] = self._weights.get(name, 0.0) + sense.weight

    def close(self) -> None:
        """See Sink; what was counted stays."""

    @property
    def rate_hz(self) -> float:
        """Percepts per second of the streams' time."""
        seconds = (self._last_ns - self._first_ns) / 1e9
        return (self.percepts - 1) / seconds if seconds > 0 else 0.0

    def latency_ms(self, percentile: float) -> float:
        """A percentile (0..100) of the percepts' latency; 0 before the first."""
        number_in("percentile", percentile, 0, 100)
        return float(np.percentile(self._latencies_ms, percentile)) if self._latencies_ms else 0.0

    def sense(self, name: str) -> SenseStatistics:
        """The part that one sense had."""
        valid = self._valid[name]
        return SenseStatistics(
            valid_share=valid / max(1, self.percepts),
            mean_weight=self._weights[name] / valid if name in self._weights else None,
            mean_age_ms=self._ages_ms[name] / max(1, valid),
        )
