"""How far a pipeline can be driven, on machines made up: what each rate loses is told beforehand."""

from __future__ import annotations

import pytest
from made_runs import moment, paced_run

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.variants import Variant, open_variants
from edgefuse.bench.runs import limits
from edgefuse.bench.runs.paced import PacedRun
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP


@pytest.fixture(scope="module")
def variant() -> Variant:
    return open_variants([DEFAULT_BUNDLE], ["cpu"], DEFAULT_CLIP)[0]


class Machine:
    """Holds rates up to `holds_hz`: beyond, it loses what is too much; `rates_hz` are those that were tried."""

    def __init__(self, holds_hz: float, latencies_ms: dict[float, list[float]] | None = None) -> None:
        self.rates_hz: list[float] = []
        self._holds_hz = holds_hz
        self._latencies_ms = latencies_ms or {}

    def run(self, runner: object, workload: object, rate_hz: float, seconds: float, warm_up_s: float = 0.4) -> PacedRun:
        self.rates_hz.append(rate_hz)
        offered = 10_000
        lost = round(offered * max(0.0, 1 - self._holds_hz / rate_hz))
        latencies_ms = self._latencies_ms.get(rate_hz, [1.0])
        moments = [moment(100.0 * number, latency_ms) for number, latency_ms in enumerate(latencies_ms)]
        return paced_run(moments, offered={"image": offered}, overtaken={"image": lost})


def drive(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> Machine:
    monkeypatch.setattr(limits, "run_paced", machine.run)
    return machine


@pytest.mark.parametrize("holds_hz", [50.0, 100.0, 190.0])
def test_the_rate_held_is_found_by_halving(monkeypatch, variant, holds_hz):
    """Between an eighth of the guess and twice it; 1 % may be lost, so a little more than `holds_hz` is held."""
    machine = drive(monkeypatch, Machine(holds_hz))
    held_hz = limits.find_rate_held(variant, guess_hz=100.0, seconds=1.0, steps=12)
    assert held_hz == pytest.approx(holds_hz / 0.99, rel=0.01)
    assert len(machine.rates_hz) == 13


def test_fewer_steps_are_coarser_and_never_promise_too_much(monkeypatch, variant):
    for steps in range(5):
        drive(monkeypatch, Machine(77.0))
        held_hz = limits.find_rate_held(variant, guess_hz=100.0, seconds=1.0, steps=steps)
        assert held_hz is not None
        assert held_hz <= 77.0 / 0.99


def test_a_machine_that_holds_no_rate_is_not_searched(monkeypatch, variant):
    machine = drive(monkeypatch, Machine(10.0))
    assert limits.find_rate_held(variant, guess_hz=100.0, seconds=1.0, steps=5) is None
    assert machine.rates_hz == [12.5]


def test_no_rate_beyond_what_a_made_up_sensor_can_be_paced_at_is_tried(monkeypatch, variant):
    machine = drive(monkeypatch, Machine(1e9))
    held_hz = limits.find_rate_held(variant, guess_hz=30_000.0, seconds=1.0, steps=8)
    assert held_hz is not None
    assert held_hz <= 5000
    assert max(machine.rates_hz) <= 5000


def test_a_rate_at_which_no_percept_comes_is_not_held(monkeypatch, variant):
    def give_up(*_: object, **__: object) -> PacedRun:
        raise BenchError("no percept came")

    monkeypatch.setattr(limits, "run_paced", give_up)
    assert limits.find_rate_held(variant, guess_hz=100.0, seconds=1.0, steps=5) is None


@pytest.mark.parametrize(("lost", "holds"), [(100, True), (101, False)])
def test_one_of_a_hundred_may_be_lost(monkeypatch, variant, lost, holds):
    run = paced_run([moment(0)], offered={"image": 10_000, "audio": 10_000}, overtaken={"audio": lost})
    monkeypatch.setattr(limits, "run_paced", lambda *_: run)
    assert (limits.find_rate_held(variant, guess_hz=100.0, seconds=1.0, steps=0) is not None) is holds


def test_overload_is_four_times_the_rate_held_against_half_of_it(monkeypatch, variant):
    """At half 2 ms, at four times 3 ms at first and 6 ms at last: it queues up."""
    latencies_ms = {50.0: [2.0] * 8, 400.0: [3.0, 3.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0]}
    machine = drive(monkeypatch, Machine(1e9, latencies_ms))
    overload = limits.measure_overload(variant, held_hz=100.0, seconds=1.0, rounds=3)
    assert machine.rates_hz == [50, 400, 400, 50, 50, 400]
    assert overload.half_ms.p50 == pytest.approx(2.0)
    assert overload.ratio_p50 == pytest.approx(4.5 / 2.0)
    assert overload.ratio_p95 == pytest.approx(6.0 / 2.0)
    assert overload.growth == pytest.approx(2.0)


def test_where_nothing_queues_up_there_is_no_growth(monkeypatch, variant):
    drive(monkeypatch, Machine(1e9, {400.0: [3.0, 2.0, 3.0, 4.0, 1.0, 4.0, 2.0, 3.0]}))
    assert limits.measure_overload(variant, 100.0, 1.0, rounds=1).growth == pytest.approx(1.0)


def test_the_first_percept_after_a_rest_is_what_counts(monkeypatch, variant):
    drive(monkeypatch, Machine(1e9, {30.0: [9.0, 1.0, 1.0]}))
    assert limits.measure_after_idle_ms(variant, rate_hz=30.0, idle_s=0.0) == pytest.approx(9.0)
