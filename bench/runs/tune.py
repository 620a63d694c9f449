"""By which engine, and on how many threads, each graph is best run on this machine's CPU."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from rich.markup import escape
from rich.table import Table

from edgefuse.bench.load.feeds import Feed, feeds_from
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.runs.uncached import open_uncached
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.engines.engine_openvino import fast_in_bf16, open_on_openvino
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, OpenVinoWay, Way
from edgefuse.runtime.engines.selftest import why_unproven
from edgefuse.runtime.errors import EngineError

MOST_CPU = 1.3
"""Times the CPU time of one thread that more may take: the cores are the rest of the robot's as well."""

WORTH_IT = 0.9
"""Times the latency of what takes less CPU time that something has to stay below."""

_log = logging.getLogger(__name__)
_ROUNDS = 60
_WARM_UP = 5
_PAUSE_S = 0.01
"""After each call, as between two frames; what threads spin meanwhile counts as theirs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One graph in one way: medians of a call; `refused` says why it may not be chosen."""

    variant: str
    graph: str
    sha256: str
    way: Way
    latency_ms: float
    cpu_ms: float
    refused: str | None = None
    chosen: bool = False


def trials_from(variant: Variant, progress: Callable[[str, float, float | None], None]) -> list[Trial]:
    """Every graph of a bundle in every way, the chosen one of each marked."""
    bundle = variant.bundle
    engines = {graph: open_engine(bundle, graph, "cpu") for graph in bundle.manifest.graphs}
    feeds = feeds_from(bundle, engines, variant.workload)
    ways = _list_ways(len(os.sched_getaffinity(0)) - _count_others(bundle.manifest))
    trials: list[Trial] = []
    for number, graph in enumerate(engines):
        progress(f"ways to run {graph}", number, len(engines))
        trials += choose(_try_ways(variant, graph, feeds[graph], ways))
    return trials


def choose(trials: Sequence[Trial]) -> list[Trial]:
    """Of one graph: mark the fastest on one thread, or on more that take little more CPU time and are worth it."""
    allowed = [trial for trial in trials if trial.refused is None]
    best = min((trial for trial in allowed if trial.way.threads == 1), key=lambda trial: trial.latency_ms)
    most_cpu_ms = MOST_CPU * best.cpu_ms
    for trial in sorted(allowed, key=lambda trial: trial.cpu_ms):
        if trial.cpu_ms <= most_cpu_ms and trial.latency_ms <= WORTH_IT * best.latency_ms:
            best = trial
    return [replace(trial, chosen=trial is best) for trial in trials]


def plan_from(trials: Sequence[Trial]) -> dict[str, Way]:
    """The chosen way by the graph's checksum."""
    return {trial.sha256: trial.way for trial in trials if trial.chosen}


def draw_trials(trials: Sequence[Trial]) -> Table:
    """All of them."""
    title = "ways to run each graph, by turns, a call every 10 ms"
    columns = ("variant", "graph", "engine", "threads", "latency (ms)", "CPU time (ms)", "")
    table = Table(*columns, title=title, title_justify="left")
    for one in trials:
        verdict = "[green]chosen[/]" if one.chosen else escape(one.refused or "")
        figures = f"{one.latency_ms:.3f}", f"{one.cpu_ms:.3f}"
        table.add_row(escape(one.variant), one.graph, *_name_way(one.way), *figures, verdict)
    return table


def _name_way(way: Way) -> tuple[str, str]:
    if isinstance(way, OpenVinoWay):
        return f"OpenVINO {way.arithmetic}", str(way.threads)
    return "ONNX Runtime", f"{way.threads}{', spinning' if way.spinning else ''}"


def _try_ways(variant: Variant, graph: str, feed: Feed, ways: Sequence[Way]) -> list[Trial]:
    sha256 = variant.bundle.graph_sha256(graph)
    opened = [(way, engine) for way in ways if (engine := _open_way(variant, graph, way)) is not None]
    engines = [engine for _, engine in opened]
    taken = np.median([_run_round(engines, feed, number) for number in range(-_WARM_UP, _ROUNDS)][_WARM_UP:], axis=0)
    refused = [
        why_unproven(variant.bundle, graph, engine) if isinstance(way, OpenVinoWay) else None for way, engine in opened
    ]
    return [
        Trial(variant.name, graph, sha256, way, float(latency_ms), float(cpu_ms), wrong)
        for (way, _), (latency_ms, cpu_ms), wrong in zip(opened, taken, refused, strict=True)
    ]


def _open_way(variant: Variant, graph: str, way: Way) -> Engine | None:
    """None where OpenVINO cannot run the graph."""
    spec = variant.bundle.manifest.graphs[graph]
    path = variant.bundle.directory / spec.file
    if isinstance(way, OnnxRuntimeWay):
        return open_uncached(path, way)
    try:
        return open_on_openvino(path, spec, variant.bundle.graph_sha256(graph), way)
    except EngineError as error:
        _log.warning("%s", error)
        return None


def _count_others(manifest: Manifest) -> int:
    """Encoders that run beside any other one, each in a thread of its own."""
    return max(0, sum(sense.graph is not None for sense in manifest.modalities) - 1)


def _list_ways(cores: int) -> list[Way]:
    """ONNX Runtime on one thread; on 2, 4, ... up to the cores, asleep or spinning while they wait; then OpenVINO."""
    counts = [count for count in (2, 4, 8, 16) if count <= cores]
    more = [OnnxRuntimeWay(threads=count, spinning=spinning) for count in counts for spinning in (False, True)]
    openvino = [OpenVinoWay(threads=count, arithmetic=kind) for kind in _list_arithmetics() for count in (1, *counts)]
    return [OnnxRuntimeWay(), *more, *openvino]


def _list_arithmetics() -> tuple[Literal["f32", "bf16"], ...]:
    """None where OpenVINO is not installed."""
    try:
        return ("f32", "bf16") if fast_in_bf16() else ("f32",)
    except EngineError as error:
        _log.warning("ONNX Runtime alone is tried: %s", error)
        return ()


def _run_round(engines: Sequence[Engine], feed: Feed, number: int) -> list[tuple[float, float]]:
    """Latency and CPU time of one call on each engine [ms], in any order: threads may spin on into the next one's."""
    taken: dict[int, tuple[float, float]] = {}
    for index in np.random.default_rng(number + _WARM_UP).permutation(len(engines)):
        cpu_s, start_s = time.process_time(), time.perf_counter()
        engines[index].run(feed[number % len(feed)])
        latency_s = time.perf_counter() - start_s
        time.sleep(_PAUSE_S)
        taken[index] = 1e3 * latency_s, 1e3 * (time.process_time() - cpu_s)
    return [taken[index] for index in range(len(engines))]
