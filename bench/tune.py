"""On how many threads each graph is best run on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
from rich.table import Table

from edgefuse.bench.feeds import Feed, feeds_from
from edgefuse.bench.runners import Runs
from edgefuse.bench.variants import Variant
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, session_options
from edgefuse.runtime.engines.plan import Threads

MOST_CPU = 1.3
"""Times the CPU time of one thread that more may take: the cores are the rest of the robot's as well."""

WORTH_IT = 0.9
"""Times the latency of one thread that more have to stay below."""

_ROUNDS = 60
_WARM_UP = 5
_PAUSE_S = 0.01
"""After each call, as between two frames; what threads spin meanwhile counts as theirs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One graph on so many threads: medians of a call."""

    variant: str
    graph: str
    sha256: str
    threads: Threads
    latency_ms: float
    cpu_ms: float
    chosen: bool = False


def trials_from(variant: Variant, progress: Callable[[str, float, float | None], None]) -> list[Trial]:
    """Every graph of a bundle in every way, the chosen one of each marked."""
    bundle = variant.bundle
    engines = {graph: bundle.engine(graph, "cpu") for graph in bundle.manifest.graphs}
    feeds = feeds_from(bundle, engines, variant.workload)
    trials: list[Trial] = []
    for number, graph in enumerate(engines):
        progress(f"threads of {graph}", number, len(engines))
        trials += choose(_tried(variant, graph, feeds[graph]))
    return trials


def choose(trials: Sequence[Trial]) -> list[Trial]:
    """Of one graph, the first on one thread: mark the fastest that takes little more CPU time and is worth it."""
    single = trials[0]
    fit = [
        trial
        for trial in trials
        if trial.cpu_ms <= MOST_CPU * single.cpu_ms and trial.latency_ms <= WORTH_IT * single.latency_ms
    ]
    best = min(fit, key=lambda trial: trial.latency_ms, default=single)
    return [replace(trial, chosen=trial is best) for trial in trials]


def plan_from(trials: Sequence[Trial]) -> dict[str, Threads]:
    """The chosen threads by the graph's checksum."""
    return {trial.sha256: trial.threads for trial in trials if trial.chosen}


def tune_table(trials: Sequence[Trial]) -> Table:
    """All of them."""
    title = "threads by turns, a call every 10 ms"
    table = Table("variant", "graph", "threads", "latency (ms)", "CPU time (ms)", "", title=title, title_justify="left")
    for one in trials:
        threads = f"{one.threads.intra_op}{', spinning' if one.threads.spinning else ''}"
        chosen = "[green]chosen[/]" if one.chosen else ""
        table.add_row(one.variant, one.graph, threads, f"{one.latency_ms:.3f}", f"{one.cpu_ms:.3f}", chosen)
    return table


def _tried(variant: Variant, graph: str, feed: Feed) -> list[Trial]:
    manifest = variant.bundle.manifest
    path = variant.bundle.directory / manifest.graphs[graph].file
    ways = _ways(len(os.sched_getaffinity(0)))
    engines: list[Runs] = []
    for threads in ways:
        session = onnxruntime.InferenceSession(path, session_options(threads), providers=["CPUExecutionProvider"])
        engines.append(OnnxRuntimeEngine(path, session, "onnxruntime-cpu"))
    taken = np.median([_round(engines, feed, number) for number in range(-_WARM_UP, _ROUNDS)][_WARM_UP:], axis=0)
    sha256 = manifest.files[manifest.graphs[graph].file]
    return [
        Trial(variant.name, graph, sha256, threads, float(latency_ms), float(cpu_ms))
        for threads, (latency_ms, cpu_ms) in zip(ways, taken, strict=True)
    ]


def _ways(cores: int) -> list[Threads]:
    """One thread; then 2, 4, ... up to the cores, asleep or spinning while they wait."""
    counts = [count for count in (2, 4, 8, 16) if count <= cores]
    more = [Threads(intra_op=count, spinning=spinning) for count in counts for spinning in (False, True)]
    return [Threads(), *more]


def _round(engines: Sequence[Runs], feed: Feed, number: int) -> list[tuple[float, float]]:
    """Latency and CPU time of one call on each engine [ms], in turn and then backwards."""
    taken: dict[int, tuple[float, float]] = {}
    order = range(len(engines)) if number % 2 else reversed(range(len(engines)))
    for index in order:
        cpu_s, start_s = time.process_time(), time.perf_counter()
        engines[index].run(feed[number % len(feed)])
        latency_s = time.perf_counter() - start_s
        time.sleep(_PAUSE_S)
        taken[index] = 1e3 * latency_s, 1e3 * (time.process_time() - cpu_s)
    return [taken[index] for index in range(len(engines))]
