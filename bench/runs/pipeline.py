"""From samples to percepts at a stated rate: where the time goes, what is lost, how far it can be driven."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edgefuse.bench.extent import Extent, Wish
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.load.workload import Workload
from edgefuse.bench.report.result import Energy, EngineResult, Overhead, Overload, PipelineResult, Span, Start
from edgefuse.bench.runs import limits
from edgefuse.bench.runs.overhead import measure_overhead
from edgefuse.bench.runs.paced import PacedRun, SensorRun, run_paced, run_sensors
from edgefuse.bench.runs.power import Meter
from edgefuse.bench.runs.run import Run, add_up, flow_from
from edgefuse.bench.runs.runners import OurRunner, Runner
from edgefuse.bench.runs.start import measure_start
from edgefuse.bench.runs.turns import take_turns
from edgefuse.fusion.progress import Progress

_TIMELINE_MS = 1000.0
_FEWEST_FRAMES = 20
"""In a run, however slow the network is."""

_MOST_OF_A_PERIOD = 0.4
"""That bare calls of all graphs may take, half a period after the percept that they are compared with."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One paced run, the sensors of it by themselves, and the power drawn in the run [W]; None without a meter."""

    run: PacedRun
    sensors: SensorRun
    watts: float | None

    @property
    def without_sensors(self) -> PacedRun:
        """The run less the CPU time that the sensors take by themselves."""
        sensors_s = self.sensors.cpu_s / self.sensors.seconds * self.run.seconds
        return replace(self.run, cpu_s=self.run.cpu_s - sensors_s)


def measure_rounds(variants: Sequence[Variant], wish: Wish, meter: Meter | None) -> dict[str, list[Turn]]:
    """The variants by turns, each turn of one followed by that of its sensors."""
    turns = {
        v.name: partial(take_turn, OurRunner(v.bundle, v.backend), v.workload, wish.rate_hz, wish.extent.round_s, meter)
        for v in variants
    }
    return take_turns(turns, wish.extent.rounds)


def take_turn(runner: Runner, workload: Workload, rate_hz: float, seconds: float, meter: Meter | None = None) -> Turn:
    """A run, and then its sensors by themselves for half as long."""
    joules, start = meter.joules() if meter else 0.0, time.monotonic()
    run = run_paced(runner, workload, rate_hz, seconds)
    watts = (meter.joules() - joules) / (time.monotonic() - start) if meter else None
    return Turn(run, run_sensors(workload, rate_hz, seconds / 2), watts)


def measure_pipeline(
    variant: Variant,
    wish: Wish,
    engines: Sequence[EngineResult],
    turns: Sequence[Turn],
    meter: Meter | None,
    progress: Progress,
) -> PipelineResult:
    """All there is to say of one variant, whose rounds and graphs have been measured."""
    extent, runs = wish.extent, [turn.run for turn in turns]
    own_ms = {one.graph: one.latency_ms.p50 for one in engines if one.variant == variant.name}
    overhead = held_hz = overload = None
    if variant.lead.kind == "image":
        overhead = _measure_overhead(variant, wish, own_ms, turns, progress)
        needed_ms = own_ms.get(variant.lead.name, 0.0) + own_ms["fusion"]
        held_hz, overload = _measure_limits(variant, extent, needed_ms, progress)
    progress(f"{variant.name}: idle for {extent.idle_s:g} s", 0, None)
    idle_ms = limits.measure_after_idle_ms(variant, wish.rate_hz, extent.idle_s)
    progress(f"{variant.name}: start", 0, None)
    return PipelineResult(
        variant=variant.name,
        rate_hz=wish.rate_hz,
        flow=flow_from(runs, [sense.name for sense in variant.bundle.manifest.modalities]),
        offered=add_up([run.offered for run in runs]),
        held_hz=held_hz,
        overhead=overhead,
        overload=overload,
        idle_s=extent.idle_s,
        after_idle_ms=idle_ms,
        start=_measure_start(variant, extent.starts),
        energy=_energy_from_turns(turns, meter),
        timeline=timeline_from_run(runs[-1]),
    )


def _measure_overhead(
    variant: Variant, wish: Wish, own_ms: Mapping[str, float], turns: Sequence[Turn], progress: Progress
) -> Overhead:
    progress(f"{variant.name}: over the bare calls", 0, None)
    rate_hz = min(wish.rate_hz, 1e3 * _MOST_OF_A_PERIOD / sum(own_ms.values()))
    seconds = max(wish.extent.overhead_s, _FEWEST_FRAMES / rate_hz)
    return measure_overhead(variant, rate_hz, seconds, [turn.sensors for turn in turns])


def _measure_limits(
    variant: Variant, extent: Extent, needed_ms: float, progress: Progress
) -> tuple[float | None, Overload | None]:
    progress(f"{variant.name}: the highest rate held", 0, None)
    search_s = max(extent.search_s, _FEWEST_FRAMES * needed_ms / 1e3)
    held_hz = limits.find_rate_held(variant, 1e3 / needed_ms, search_s, extent.search_steps)
    if held_hz is None:
        return None, None
    progress(f"{variant.name}: overload", 0, None)
    seconds = max(extent.search_s, _FEWEST_FRAMES / held_hz)
    return held_hz, limits.measure_overload(variant, held_hz, seconds, extent.overload_rounds)


def _measure_start(variant: Variant, times: int) -> Start | None:
    """None where `edgefuse run` cannot run the bundle on the source alone."""
    needed = set(variant.bundle.manifest.needed)
    if needed & set(variant.workload.generated) or variant.lead.name in variant.workload.generated:
        return None
    return measure_start(variant, times)


def _energy_from_turns(turns: Sequence[Turn], meter: Meter | None) -> Energy | None:
    """Per percept."""
    watts = [turn.watts for turn in turns if turn.watts is not None]
    if meter is None or not watts:
        return None
    rate_hz = float(np.mean([len(turn.run.moments) / turn.run.seconds for turn in turns]))
    mean = float(np.mean(watts))
    return Energy(meter=meter.name, watts=mean, millijoules_per_percept=1e3 * mean / rate_hz)


def timeline_from_run(run: Run) -> tuple[Span, ...]:
    """Which graph ran when, in the run's first second."""
    spans = []
    for call in run.calls:
        start_ms, end_ms = (call.start_ns - run.start_ns) / 1e6, (call.end_ns - run.start_ns) / 1e6
        if start_ms >= 0 and end_ms <= _TIMELINE_MS:
            spans.append(Span(what=call.graph, start_ms=round(start_ms, 4), end_ms=round(end_ms, 4)))
    return tuple(spans)
