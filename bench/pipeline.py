"""From samples to percepts at a stated rate: where the time goes, what is lost, how far it can be driven."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.figures import figure_from
from edgefuse.bench.paced import PacedRun, run_paced
from edgefuse.bench.power import Meter
from edgefuse.bench.result import Energy, Figure, Overload, Span
from edgefuse.bench.runners import OurRunner, Runner
from edgefuse.bench.variants import Variant
from edgefuse.bench.workload import Workload

MOST_OVERTAKEN = 0.01
"""Of what any sense was offered, at a rate that counts as held."""

_TIMELINE_MS = 1000.0
_FASTEST_HZ = 5000.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One paced run, and the power drawn meanwhile [W]; None without a meter."""

    run: PacedRun
    watts: float | None


def by_turns(
    runners: Mapping[str, tuple[Runner, Workload]],
    rate_hz: float,
    rounds: int,
    round_s: float,
    meter: Meter | None = None,
) -> dict[str, list[Turn]]:
    """So many rounds, in each of which every runner has its turn: A B, B A, and so on."""
    turns: dict[str, list[Turn]] = {name: [] for name in runners}
    order = list(runners)
    for _ in range(rounds):
        for name in order:
            turns[name].append(_turn(*runners[name], rate_hz, round_s, meter))
        order.reverse()
    return turns


def _turn(runner: Runner, workload: Workload, rate_hz: float, seconds: float, meter: Meter | None) -> Turn:
    if meter is None:
        return Turn(run_paced(runner, workload, rate_hz, seconds), None)
    joules, start = meter.joules(), time.monotonic()
    run = run_paced(runner, workload, rate_hz, seconds)
    return Turn(run, (meter.joules() - joules) / (time.monotonic() - start))


def stages(runs: Sequence[PacedRun]) -> dict[str, Figure]:
    """Where the latency went, by stage."""
    names = runs[0].moments[0].stages_ms
    return {name: figure_from([[moment.stages_ms[name] for moment in run.moments] for run in runs]) for name in names}


def ages(runs: Sequence[PacedRun], senses: Sequence[str]) -> dict[str, Figure]:
    """How old the evidence of each sense was when it was fused; senses that took part."""
    found = {sense: [run.ages_ms(sense) for run in runs] for sense in senses}
    return {sense: figure_from(rounds) for sense, rounds in found.items() if any(len(one) for one in rounds)}


def totals(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """By sense, over all runs."""
    return {sense: sum(one.get(sense, 0) for one in counts) for sense in counts[0]}


def energy(turns: Sequence[Turn], meter: Meter | None) -> Energy | None:
    """Per percept."""
    watts = [turn.watts for turn in turns if turn.watts is not None]
    if meter is None or not watts:
        return None
    rate_hz = float(np.mean([len(turn.run.moments) / turn.run.seconds for turn in turns]))
    mean = float(np.mean(watts))
    return Energy(meter=meter.name, watts=mean, millijoules_per_percept=1e3 * mean / rate_hz)


def timeline(run: PacedRun) -> tuple[Span, ...]:
    """Which graph ran when, in the run's first second."""
    spans = []
    for call in run.calls:
        start_ms, end_ms = (call.start_ns - run.start_ns) / 1e6, (call.end_ns - run.start_ns) / 1e6
        if start_ms >= 0 and end_ms <= _TIMELINE_MS:
            spans.append(Span(what=call.graph, start_ms=round(start_ms, 4), end_ms=round(end_ms, 4)))
    return tuple(spans)


def rate_held(variant: Variant, guess_hz: float, seconds: float, steps: int) -> float | None:
    """The highest frame rate at which at most MOST_OVERTAKEN is lost, by bisection around a guess; None if none is."""
    runner = OurRunner(variant.bundle, variant.backend)
    low_hz, high_hz = guess_hz / 8, min(2 * guess_hz, _FASTEST_HZ)
    held_hz = low_hz if _holds(runner, variant, low_hz, seconds) else None
    if held_hz is None:
        return None
    for _ in range(steps):
        rate_hz = (low_hz * high_hz) ** 0.5
        if _holds(runner, variant, rate_hz, seconds):
            low_hz = held_hz = rate_hz
        else:
            high_hz = rate_hz
    return held_hz


def _holds(runner: Runner, variant: Variant, rate_hz: float, seconds: float) -> bool:
    try:
        return run_paced(runner, variant.workload, rate_hz, seconds).overtaken_share <= MOST_OVERTAKEN
    except BenchError:
        return False


def overload(variant: Variant, held_hz: float, seconds: float, rounds: int) -> Overload:
    """At half of the rate held and at four times it, by turns."""
    runner = OurRunner(variant.bundle, variant.backend)
    half, four = [], []
    for _ in range(rounds):
        half.append(run_paced(runner, variant.workload, held_hz / 2, seconds).latencies_ms)
        four.append(run_paced(runner, variant.workload, held_hz * 4, seconds).latencies_ms)
    half_ms, four_ms = figure_from(half), figure_from(four)
    return Overload(
        half_ms=half_ms, four_ms=four_ms, ratio_p50=four_ms.p50 / half_ms.p50, ratio_p95=four_ms.p95 / half_ms.p95
    )


def after_idle_ms(variant: Variant, rate_hz: float, idle_s: float) -> float:
    """The latency of the first percept after a perceiver had nothing to do for so long."""
    runner = OurRunner(variant.bundle, variant.backend)
    run_paced(runner, variant.workload, rate_hz, seconds=0.5)
    time.sleep(idle_s)
    return run_paced(runner, variant.workload, rate_hz, seconds=0.3, warm_up_s=0.0).moments[0].latency_ms
