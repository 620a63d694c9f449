"""What a percept costs over the bare engine calls that it needs, both paced alike and by turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.feeds import Feed, feeds_from
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.figures import figure_from, percentile_ratio, ratio_from
from edgefuse.bench.report.result import Overhead, Ratio
from edgefuse.bench.runs.paced import SENSOR_LATE, WARM_UP_S, SensorRun, add_sensor_stage
from edgefuse.bench.runs.run import Call, Moment
from edgefuse.bench.runs.runners import OurRunner
from edgefuse.runtime.engines.engine import Engine

_OTHERS_EVERY = 6
"""Frames, about the hop of a sound: how often the other senses' graphs are called bare."""

_MOSTLY = 0.9
_ROUND = 30
_STRETCH = 10
"""Frames: of what CPU time is summed up."""

_FEWEST = _STRETCH + 1


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a run was: the moment, the CPU time without that of the bare calls [s], and the calls made."""

    at_s: float
    cpu_s: float
    calls: int


def measure_overhead(variant: Variant, rate_hz: float, seconds: float, sensors: Sequence[SensorRun]) -> Overhead:
    """Half a period after each percept that a frame called for, the frame's graph and the fusion graph are called.

    Called back to back they would run up to 1.7 times faster, since nothing else has used the caches. `sensors` are
    runs of the same sensors by themselves.
    """
    runner = OurRunner(variant.bundle, variant.backend)
    bare = _BareCalls(variant)
    streams = variant.workload.streams(rate_hz, WARM_UP_S + seconds, WARM_UP_S)
    moments, bare_ms, marks = [], [], []
    for moment in runner.perceive(*streams):
        if moment.evidence_ns.get(variant.lead.name) != moment.stamp_ns:
            continue
        time.sleep(0.5 / rate_hz)
        taken_ms = bare.run_ms()
        if moment.stamp_ns > streams[0].pace.counted_ns:
            moments.append(add_sensor_stage(moment, streams))
            bare_ms.append(taken_ms)
            if len(moments) % _STRETCH == 1:
                marks.append(_Mark(time.monotonic(), time.process_time() - bare.spent_s, len(runner.calls)))
    if len(moments) < _FEWEST:
        raise BenchError(f"{len(moments)} percepts of frames at {rate_hz:g} Hz are too few to measure")
    sensors_share = float(np.median([alone.cpu_s / alone.seconds for alone in sensors]))
    spent_s, sensors_s = _spent_from_marks(marks, sensors_share)
    needed_s = _needed_from_marks(marks, runner.calls, bare.cpu_s())
    return _overhead_from_moments(
        rate_hz,
        moments,
        np.array(bare_ms),
        cpu=ratio_from(spent_s, needed_s),
        cpu_without_sensors=ratio_from(spent_s - sensors_s, needed_s),
        sensors_cpu_ms=1e3 * sensors_share,
    )


def _overhead_from_moments(
    rate_hz: float,
    moments: Sequence[Moment],
    bare_ms: np.ndarray,
    cpu: Ratio,
    cpu_without_sensors: Ratio,
    sensors_cpu_ms: float,
) -> Overhead:
    percepts_ms = np.array([moment.latency_ms for moment in moments])
    handed_ms = percepts_ms - [moment.stages_ms[SENSOR_LATE] for moment in moments]
    return Overhead(
        rate_hz=rate_hz,
        percept_ms=figure_from(_split_rounds(percepts_ms)),
        handed_ms=figure_from(_split_rounds(handed_ms)),
        bare_ms=figure_from(_split_rounds(bare_ms)),
        p50=percentile_ratio(percepts_ms, bare_ms, 50),
        p95=percentile_ratio(percepts_ms, bare_ms, 95),
        handed_p50=percentile_ratio(handed_ms, bare_ms, 50),
        handed_p95=percentile_ratio(handed_ms, bare_ms, 95),
        cpu=cpu,
        cpu_without_sensors=cpu_without_sensors,
        sensors_cpu_ms=sensors_cpu_ms,
    )


def _split_rounds(values: np.ndarray) -> list[np.ndarray]:
    return np.array_split(values, max(1, len(values) // _ROUND))


def _spent_from_marks(marks: Sequence[_Mark], sensors_share: float) -> tuple[np.ndarray, np.ndarray]:
    """From mark to mark, the CPU time of the run, and of that what the sensors cost [s]."""
    return np.diff([mark.cpu_s for mark in marks]), sensors_share * np.diff([mark.at_s for mark in marks])


def _needed_from_marks(marks: Sequence[_Mark], calls: Sequence[Call], cpu_s: Mapping[str, float]) -> np.ndarray:
    """From mark to mark, the CPU time that the calls made would have taken bare [s]."""
    return np.array([sum(cpu_s[call.graph] for call in calls[a.calls : b.calls]) for a, b in pairwise(marks)])


class _BareCalls:
    """The graph of the frames, where there is one, and the fusion graph; now and then those of the other senses."""

    def __init__(self, variant: Variant) -> None:
        engines = variant.engines()
        feeds = feeds_from(variant.bundle, engines, variant.workload)
        needed = [graph for graph in (variant.lead.name, "fusion") if graph in engines]
        self._needed = [(graph, engines[graph], feeds[graph]) for graph in needed]
        self._others = [(graph, engines[graph], feeds[graph]) for graph in engines if graph not in needed]
        self._clocks = {graph: _choose_clock(engines[graph], feeds[graph]) for graph in engines}
        self._cpu_s: dict[str, list[float]] = {graph: [] for graph in engines}
        self._turn = 0

    def run_ms(self) -> float:
        """One call of each that a percept of a frame needs, timed together; the others' are not in it."""
        self._turn += 1
        start_ns = time.perf_counter_ns()
        for graph, engine, feed in self._needed:
            self._call(graph, engine, feed)
        taken_ms = (time.perf_counter_ns() - start_ns) / 1e6
        if self._turn % _OTHERS_EVERY == 0:
            for graph, engine, feed in self._others:
                self._call(graph, engine, feed)
        return taken_ms

    @property
    def spent_s(self) -> float:
        """CPU time of all calls so far."""
        return sum(sum(taken) for taken in self._cpu_s.values())

    def cpu_s(self) -> dict[str, float]:
        """The CPU time of a call, by graph."""
        return {graph: float(np.median(taken)) if taken else 0.0 for graph, taken in self._cpu_s.items()}

    def _call(self, graph: str, engine: Engine, feed: Feed) -> None:
        inputs, clock_ns = feed[self._turn % len(feed)], self._clocks[graph]
        start_ns = clock_ns()
        engine.run(inputs)
        self._cpu_s[graph].append((clock_ns() - start_ns) / 1e9)


def _choose_clock(engine: Engine, feed: Feed) -> Callable[[], int]:
    """Of the CPU time of one thread for an engine that runs in that of its caller, else of the whole process [ns].

    The process may be busy with another sense meanwhile, which would then count as the call's.
    """
    for inputs in feed[:2]:  # the second, since a first call may have more to do
        process_ns, thread_ns = time.process_time_ns(), time.thread_time_ns()
        engine.run(inputs)
        process_ns, thread_ns = time.process_time_ns() - process_ns, time.thread_time_ns() - thread_ns
    return time.thread_time_ns if thread_ns > _MOSTLY * process_ns else time.process_time_ns
