"""How far a pipeline can be driven: the rate that it holds, overload beyond it, and the first percept after a rest."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.figures import figure_from
from edgefuse.bench.report.result import Overload
from edgefuse.bench.runs.paced import run_paced
from edgefuse.bench.runs.runners import OurRunner, Runner
from edgefuse.bench.runs.turns import take_turns

MOST_OVERTAKEN = 0.01
"""Of what any sense was offered, at a rate that counts as held."""

_FASTEST_HZ = 5000.0


def find_rate_held(variant: Variant, guess_hz: float, seconds: float, steps: int) -> float | None:
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


def measure_overload(variant: Variant, held_hz: float, seconds: float, rounds: int) -> Overload:
    """At half of the rate held and at four times it, by turns."""
    runner = OurRunner(variant.bundle, variant.backend)
    rates_hz = {"half": held_hz / 2, "four": held_hz * 4}
    turns = {name: partial(run_paced, runner, variant.workload, hz, seconds) for name, hz in rates_hz.items()}
    latencies = {name: [run.latencies_ms for run in runs] for name, runs in take_turns(turns, rounds).items()}
    half_ms, four_ms = figure_from(latencies["half"]), figure_from(latencies["four"])
    return Overload(
        half_ms=half_ms,
        four_ms=four_ms,
        ratio_p50=four_ms.p50 / half_ms.p50,
        ratio_p95=four_ms.p95 / half_ms.p95,
        growth=float(np.median([_measure_growth(one) for one in latencies["four"]])),
    )


def _measure_growth(latencies_ms: np.ndarray) -> float:
    """From the first quarter to the last."""
    first, *_, last = np.array_split(latencies_ms, 4)
    return float(np.median(last) / np.median(first))


def measure_after_idle_ms(variant: Variant, rate_hz: float, idle_s: float) -> float:
    """The latency of the first percept after a perceiver had nothing to do for so long."""
    runner = OurRunner(variant.bundle, variant.backend)
    run_paced(runner, variant.workload, rate_hz, seconds=0.5)
    time.sleep(idle_s)
    return run_paced(runner, variant.workload, rate_hz, seconds=0.3, warm_up_s=0.0).moments[0].latency_ms
