"""One run at a stated rate: samples come when they are due, and what became of them is noted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.runners import Call, Moment, Runner
from edgefuse.bench.workload import PacedStream, Workload
from edgefuse.runtime.manifest import AudioModality, SignalModality

WARM_UP_S = 0.4


@dataclass(frozen=True, slots=True)
class PacedRun:
    """What came after the warm-up: `seconds` of it, the CPU time of the whole process [s], counts by sense."""

    moments: Sequence[Moment]
    calls: Sequence[Call]
    start_ns: int
    seconds: float
    cpu_s: float
    offered: dict[str, int]
    overtaken: dict[str, int]

    @property
    def latencies_ms(self) -> np.ndarray:
        """Of each percept, sensed to published."""
        return np.array([moment.latency_ms for moment in self.moments])

    @property
    def cpu_per_percept_ms(self) -> float:
        """All CPU time of the run, shared out."""
        return 1e3 * self.cpu_s / len(self.moments)

    @property
    def overtaken_share(self) -> float:
        """Of the sense that lost most of what it was offered."""
        shares = [self.overtaken.get(sense, 0) / offered for sense, offered in self.offered.items() if offered]
        return max(shares, default=0.0)

    def news_ms(self, sense: str) -> np.ndarray:
        """From each new evidence of a sense to the first percept that heeds it."""
        heeded = [(m.evidence_ns.get(sense, 0), m.published_ns) for m in self.moments]
        return np.array([out - new for (old, _), (new, out) in pairwise(heeded) if new > old > 0]) / 1e6

    def ages_ms(self, sense: str) -> np.ndarray:
        """How old a sense's evidence was, in the percepts that it took part in."""
        return np.array([m.stamp_ns - m.evidence_ns[sense] for m in self.moments if sense in m.evidence_ns]) / 1e6


def run_paced(
    runner: Runner, workload: Workload, rate_hz: float, seconds: float, warm_up_s: float = WARM_UP_S
) -> PacedRun:
    """Run for the warm-up and then `seconds`; raises BenchError where no percept came."""
    streams = workload.streams(rate_hz, warm_up_s + seconds, warm_up_s)
    counted_ns = streams[0].counted_ns
    moments: list[Moment] = []
    cpu_s, begin_ns, before = time.process_time(), time.monotonic_ns(), runner.overtaken()
    first_call = len(runner.calls)
    for moment in runner.perceive(*streams):
        if moment.stamp_ns >= counted_ns:
            moments.append(moment)
        else:
            cpu_s, begin_ns, before = time.process_time(), time.monotonic_ns(), runner.overtaken()
            first_call = len(runner.calls)
    cpu_s = time.process_time() - cpu_s
    end_ns = time.monotonic_ns()
    if not moments:
        raise BenchError(f"no percept came within {seconds:g} s at {rate_hz:g} Hz: this machine is too slow for it")
    after = runner.overtaken()
    return PacedRun(
        moments=moments,
        calls=runner.calls[first_call:],
        start_ns=begin_ns,
        seconds=(end_ns - begin_ns) / 1e9,
        cpu_s=cpu_s,
        offered={stream.modality.name: _units(stream) for stream in streams},
        overtaken={sense: count - before.get(sense, 0) for sense, count in after.items()},
    )


def _units(stream: PacedStream) -> int:
    """What was offered, counted as overtaken is: frames, texts, or hops of a series."""
    modality = stream.modality
    if isinstance(modality, AudioModality | SignalModality):
        return round(stream.offered * stream.chunk / modality.hop_samples)
    return stream.offered
