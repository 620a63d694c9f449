"""What a percept costs over the bare engine calls that it needs, both paced alike and by turns."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.feeds import Feed, feeds_from
from edgefuse.bench.figures import figure_from, percentile_ratio
from edgefuse.bench.paced import WARM_UP_S, PacedRun
from edgefuse.bench.result import Overhead
from edgefuse.bench.runners import OurRunner
from edgefuse.bench.variants import Variant
from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.engines.plan import planned_threads

_OTHERS_EVERY = 6
"""Frames, about the hop of a sound: how often the other senses' graphs are called bare."""

_ROUND = 30
_FEWEST = 10


def measure_overhead(variant: Variant, rate_hz: float, seconds: float, paced: list[PacedRun]) -> Overhead:
    """Half a period after each percept that a frame called for, the frame's graph and the fusion graph are called.

    Called back to back they would run up to 1.7 times faster, since nothing else has used the caches. `paced` are runs
    of the same variant without bare calls, for the CPU time.
    """
    runner = OurRunner(variant.bundle, variant.backend)
    bare = _BareCalls(variant)
    streams = variant.workload.streams(rate_hz, WARM_UP_S + seconds, WARM_UP_S)
    percepts_ms, bare_ms = [], []
    for moment in runner.perceive(*streams):
        if moment.evidence_ns.get(variant.lead.name) != moment.stamp_ns:
            continue
        time.sleep(0.5 / rate_hz)
        taken_ms = bare.run_ms()
        if moment.stamp_ns > streams[0].counted_ns:
            percepts_ms.append(moment.latency_ms)
            bare_ms.append(taken_ms)
    if len(percepts_ms) < _FEWEST:
        raise BenchError(f"{len(percepts_ms)} percepts of frames at {rate_hz:g} Hz are too few to measure")
    percepts, calls = np.array(percepts_ms), np.array(bare_ms)
    return Overhead(
        rate_hz=rate_hz,
        percept_ms=figure_from(_rounds(percepts)),
        bare_ms=figure_from(_rounds(calls)),
        p50=percentile_ratio(percepts, calls, 50),
        p95=percentile_ratio(percepts, calls, 95),
        cpu=_cpu_ratio(paced, bare.cpu_ms()),
    )


def _rounds(values: np.ndarray) -> list[np.ndarray]:
    return np.array_split(values, max(1, len(values) // _ROUND))


def _cpu_ratio(runs: list[PacedRun], cpu_ms: Mapping[str, float]) -> float | None:
    """CPU time of the runs over that of the calls made in them; None where that is not known, as on a GPU."""
    calls = Counter(call.graph for run in runs for call in run.calls)
    needed_ms = sum(count * cpu_ms.get(graph, 0.0) for graph, count in calls.items())
    spent_ms = 1e3 * sum(run.cpu_s for run in runs)
    return spent_ms / needed_ms if needed_ms else None


class _BareCalls:
    """The graph of the frames, where there is one, and the fusion graph; now and then those of the other senses."""

    def __init__(self, variant: Variant) -> None:
        bundle = variant.bundle
        engines = {graph: bundle.engine(graph, variant.backend) for graph in bundle.manifest.graphs}
        feeds = feeds_from(bundle, engines, variant.workload)
        needed = [graph for graph in (variant.lead.name, "fusion") if graph in engines]
        self._in_this_thread = all(_in_this_thread(bundle, graph, engine) for graph, engine in engines.items())
        self._needed = [(graph, engines[graph], feeds[graph]) for graph in needed]
        self._others = [(graph, engines[graph], feeds[graph]) for graph in engines if graph not in needed]
        self._cpu_ms: dict[str, list[float]] = {graph: [] for graph in engines}
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

    def cpu_ms(self) -> dict[str, float]:
        """The CPU time of a call, by graph; nothing where calls run elsewhere than in the thread that makes them."""
        return {g: float(np.median(taken)) for g, taken in self._cpu_ms.items() if taken and self._in_this_thread}

    def _call(self, graph: str, engine: Engine, feed: Feed) -> None:
        inputs = feed[self._turn % len(feed)]
        start_ns = time.thread_time_ns()
        engine.run(inputs)
        self._cpu_ms[graph].append((time.thread_time_ns() - start_ns) / 1e6)


def _in_this_thread(bundle: Bundle, graph: str, engine: Engine) -> bool:
    file = bundle.manifest.graphs[graph].file
    return engine.backend.endswith("cpu") and planned_threads(bundle.manifest.files[file]).intra_op == 1
