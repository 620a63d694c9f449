"""Engines alone: each graph called over and over on real inputs, the variants by turns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgefuse.bench.extent import Effort
from edgefuse.bench.load.feeds import Feed
from edgefuse.bench.report.figures import figure_from, ratio_from
from edgefuse.bench.report.result import EngineResult
from edgefuse.runtime.engines.engine import Engine

BLOCK = 20
"""Calls of one variant before it is the next one's turn."""

WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Fed:
    """One variant's engine of a graph, with its inputs; `backend` says what runs it."""

    engine: Engine
    feed: Feed
    backend: str


def measure_graph(graph: str, variants: Mapping[str, Fed], effort: Effort) -> list[EngineResult]:
    """One result per variant; the first is what the others are compared with."""
    rounds = _run_rounds(variants, effort)
    figures = {name: figure_from(blocks) for name, blocks in rounds.items()}
    first = next(iter(figures))
    return [
        EngineResult(
            variant=name,
            graph=graph,
            backend=variants[name].backend,
            latency_ms=figure,
            throughput_hz=1e3 / figure.mean,
            ratio=None if name == first else ratio_from(figure.rounds, figures[first].rounds),
        )
        for name, figure in figures.items()
    ]


def _run_rounds(variants: Mapping[str, Fed], effort: Effort) -> dict[str, list[np.ndarray]]:
    """Milliseconds, in blocks; A B, B A, and so on, so that none always follows the same one."""
    for fed in variants.values():
        _run_block(fed, WARM_UP)
    rounds: dict[str, list[np.ndarray]] = {name: [] for name in variants}
    order = list(variants)
    until = time.monotonic() + effort.seconds * len(variants)
    for block in range(max(2, -(-effort.calls // BLOCK))):
        if block >= 2 and time.monotonic() > until:
            break
        for name in order:
            rounds[name].append(_run_block(variants[name], BLOCK))
        order.reverse()
    return rounds


def _run_block(fed: Fed, calls: int) -> np.ndarray:
    taken = np.empty(calls)
    for call in range(calls):
        inputs = fed.feed[call % len(fed.feed)]
        start_ns = time.perf_counter_ns()
        fed.engine.run(inputs)
        taken[call] = (time.perf_counter_ns() - start_ns) / 1e6
    return taken
