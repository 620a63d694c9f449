"""What is said of one variant: CPU time less its sensors', energy per percept, and its first second drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import MS, moment, paced_run

from edgefuse.bench.load.variants import Variant, open_variants
from edgefuse.bench.load.workload import Workload
from edgefuse.bench.runs import pipeline
from edgefuse.bench.runs.beside import table_from
from edgefuse.bench.runs.paced import SensorRun, run_sensors
from edgefuse.bench.runs.pipeline import Turn, take_turn, timeline_from_run
from edgefuse.bench.runs.run import Call
from edgefuse.bench.runs.runners import OurRunner
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP


class CountedMeter:
    """Ten joules more each time it is asked."""

    name = "by hand"

    def __init__(self) -> None:
        self.counted = 0.0

    def joules(self) -> float:
        self.counted += 10.0
        return self.counted

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def variant() -> Variant:
    return open_variants([DEFAULT_BUNDLE], ["cpu"], DEFAULT_CLIP)[0]


def turn(percepts: int, seconds: float = 1.0, cpu_s: float = 0.5, watts: float | None = None) -> Turn:
    """Beside sensors that take a tenth of a core."""
    run = paced_run([moment(100.0 * number, audio=99.0 * number) for number in range(percepts)], seconds, cpu_s)
    return Turn(run, SensorRun(seconds=2.0, cpu_s=0.2), watts)


def test_the_sensors_cpu_time_is_taken_off_for_as_long_as_the_run_took():
    assert turn(10, seconds=3.0, cpu_s=0.5).without_sensors.cpu_s == pytest.approx(0.2)
    assert turn(10).run.cpu_s == 0.5


def test_energy_is_shared_out_to_the_percepts():
    energy = pipeline._energy_from_turns([turn(30, watts=6.0), turn(30, watts=3.0)], CountedMeter())
    assert energy is not None
    assert (energy.meter, energy.watts) == ("by hand", 4.5)
    assert energy.millijoules_per_percept == pytest.approx(150.0)


def test_without_a_meter_there_is_no_energy():
    assert pipeline._energy_from_turns([turn(30)], None) is None
    assert pipeline._energy_from_turns([turn(30)], CountedMeter()) is None


def test_the_power_of_a_turn_is_of_its_run(variant: Variant, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[float, float]] = []

    def noted(workload: Workload, rate_hz: float, seconds: float) -> SensorRun:
        asked.append((rate_hz, seconds))
        return run_sensors(workload, rate_hz, seconds)

    monkeypatch.setattr(pipeline, "run_sensors", noted)
    taken = take_turn(OurRunner(variant.bundle, "cpu"), variant.workload, 30.0, 0.3, CountedMeter())
    assert taken.watts is not None
    assert 0 < taken.watts <= 10 / 0.7, "ten joules over the run and its warm-up"
    assert asked == [(30.0, 0.15)], "its sensors by themselves for half as long"
    assert taken.sensors.seconds > 0
    assert {call.graph for call in taken.run.calls} >= {"image", "fusion"}


def test_the_timeline_is_the_first_second_of_the_run():
    start_ns = 5_000 * MS
    times_ms = {"before": (-2, -1), "within": (1, 2.5), "at its end": (998, 1000), "across it": (999, 1001)}
    calls = [Call(name, start_ns + round(a * MS), start_ns + round(b * MS)) for name, (a, b) in times_ms.items()]
    spans = timeline_from_run(paced_run([moment(0)], calls=calls, start_ns=start_ns))
    assert [(span.what, span.start_ms, span.end_ms) for span in spans] == [
        ("within", 1, 2.5),
        ("at its end", 998, 1000),
    ]


def test_variants_stand_beside_the_first_without_their_sensors():
    table = table_from("lead", {"first": [turn(10)] * 3, "second": [turn(10, cpu_s=0.9)] * 3}, None)
    first, second = table.rows
    assert (first.latency_ratio.value, first.cpu_ratio.value) == (1.0, 1.0)
    assert first.cpu_per_percept_ms.p50 == pytest.approx(40.0)
    assert second.cpu_ratio.value == pytest.approx(2.0)
    assert (second.news_of, second.news_ms, second.news_ratio) == (None, None, None)


def test_news_is_told_where_every_round_heard_of_it():
    table = table_from("any", {"first": [turn(10)] * 2, "deaf": [turn(10), turn(1)]}, "audio")
    first, deaf = table.rows
    assert first.news_ms is not None
    assert first.news_ratio is not None
    assert (deaf.news_of, deaf.news_ms, deaf.news_ratio) == ("audio", None, None)


def test_a_bundle_that_the_source_cannot_run_alone_has_no_start(variant: Variant, tmp_path: Path):
    """Its first sense is made up."""
    silent = variant.workload.__class__(str(tmp_path), variant.workload.senses, variant.workload.contents, ("image",))
    assert pipeline._measure_start(Variant("v", variant.bundle, "cpu", silent, {}), times=1) is None
