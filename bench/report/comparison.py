"""A result against an older one: what became faster, what slower, and what is the same within the noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from edgefuse.bench.errors import BenchError
from edgefuse.bench.report.figures import compare_rounds
from edgefuse.bench.report.result import Flow, Result

TOLERANCE = 0.05
"""A change smaller than this is none, however sure: two runs an hour apart differ by as much on a quiet machine."""

FEWEST_ROUNDS = 3
"""With fewer, nothing is known of the noise, and a quantity is not compared."""

Verdict = Literal["faster", "slower", "same"]


@dataclass(frozen=True, slots=True)
class Change:
    """One quantity, new over old; `low` to `high` holds 95 % of what it might as well have been."""

    variant: str
    what: str
    old: float
    new: float
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Beyond both the noise and the tolerance, or the same."""
        if self.low > 1 + TOLERANCE:
            return "slower"
        return "faster" if self.high < 1 / (1 + TOLERANCE) else "same"


def compare(new: Result, old: Result) -> list[Change]:
    """Of every time and CPU time that both measured in rounds; raises BenchError where they have none in common."""
    before = dict(_list_quantities(old))
    changes = []
    for (variant, what), rounds in _list_quantities(new):
        older = before.get((variant, what), ())
        if min(len(rounds), len(older)) >= FEWEST_ROUNDS:
            ratio, low, high = compare_rounds(rounds, older)
            changes.append(Change(variant, what, median(older), median(rounds), ratio, low, high))
    if not changes:
        names = _name_variants(old), _name_variants(new)
        raise BenchError(f"nothing to compare: the old result is of {names[0]}, the new one of {names[1]}")
    return changes


def find_differences(new: Result, old: Result) -> list[str]:
    """What makes the two not quite comparable, a line each."""
    lines = []
    if new.host.cpu != old.host.cpu or new.host.cores != old.host.cores:
        lines.append(
            f"another machine: {old.host.cpu}, {old.host.cores} cores, is now {new.host.cpu}, {new.host.cores}"
        )
    rates_hz = [one.configuration.rate_hz for one in (old, new)]
    if rates_hz[0] != rates_hz[1]:
        was, now = ("the devices' own" if rate_hz is None else f"{rate_hz:g} Hz" for rate_hz in rates_hz)
        lines.append(f"another rate: {was} is now {now}")
    if new.configuration.source != old.configuration.source:
        lines.append(f"another source: {old.configuration.source} is now {new.configuration.source}")
    if max(new.host.load[0], old.host.load[0]) > min(new.host.load[0], old.host.load[0]) + 1:
        lines.append(f"another load average: {old.host.load[0]:g} is now {new.host.load[0]:g}")
    return lines


def _list_quantities(result: Result) -> Iterator[tuple[tuple[str, str], tuple[float, ...]]]:
    for engine in result.engines:
        yield (engine.variant, f"graph {engine.graph}"), engine.latency_ms.rounds
    for pipeline in result.pipelines:
        yield from _list_flow(pipeline.variant, pipeline.flow)
    for live in result.live:
        yield from _list_flow(f"{live.variant}, live", live.flow)
    for stack in result.ros:
        yield from _list_flow(stack.stack, stack.flow)
    for pipeline in result.pipelines:
        if pipeline.start is not None:
            yield (pipeline.variant, "start to the first percept"), tuple(1e3 * s for s in pipeline.start.seconds)


def _list_flow(variant: str, flow: Flow) -> Iterator[tuple[tuple[str, str], tuple[float, ...]]]:
    yield (variant, "percept"), flow.latency_ms.rounds
    yield (variant, "CPU per percept"), flow.cpu_per_percept_ms.rounds


def _name_variants(result: Result) -> str:
    return ", ".join(measured.variant for measured in result.bundles)
