"""What a percept costs over the bare calls: the arithmetic, by hand, and whose CPU time a call is counted by."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import numpy as np
import pytest
from made_runs import NotedEngine, moment

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.variants import Variant, open_variants
from edgefuse.bench.report.figures import ratio_from
from edgefuse.bench.runs import overhead
from edgefuse.bench.runs.overhead import _Mark, _overhead_from_moments
from edgefuse.bench.runs.paced import SENSOR_LATE, SensorRun
from edgefuse.bench.runs.run import Call, Moment
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP

FEED = [{"x": np.zeros(1, np.float32)}] * 2
RATIO = ratio_from([1.0], [1.0])


@pytest.fixture(scope="module")
def variant() -> Variant:
    return open_variants([DEFAULT_BUNDLE], ["cpu"], DEFAULT_CLIP)[0]


def late_moment(latency_ms: float, late_ms: float) -> Moment:
    """A percept whose sensor was late by so much."""
    made = moment(0, latency_ms)
    return Moment(made.stamp_ns, made.published_ns, {}, {SENSOR_LATE: late_ms, "fuse": latency_ms - late_ms})


def test_latency_is_over_the_bare_calls_with_and_without_the_sensors_lateness():
    moments = [late_moment(3.0, 1.0)] * 60
    result = _overhead_from_moments(30.0, moments, np.full(60, 2.0), RATIO, RATIO, 7.0)
    assert result.percept_ms.p50 == 3.0
    assert result.handed_ms.p50 == 2.0
    assert result.bare_ms.p50 == 2.0
    assert (result.p50.value, result.handed_p50.value) == pytest.approx((1.5, 1.0))
    assert (result.rate_hz, result.sensors_cpu_ms) == (30.0, 7.0)


def test_a_slow_tail_of_percepts_is_in_the_95th_percentile():
    moments = [late_moment(2.0 if number % 10 else 8.0, 0.0) for number in range(100)]
    result = _overhead_from_moments(30.0, moments, np.full(100, 2.0), RATIO, RATIO, 0.0)
    assert result.p50.value == pytest.approx(1.0)
    assert result.p95.value == pytest.approx(4.0)


def test_percepts_are_in_rounds_of_thirty():
    moments = [late_moment(float(number // 30 + 1), 0.0) for number in range(90)]
    result = _overhead_from_moments(30.0, moments, np.ones(90), RATIO, RATIO, 0.0)
    assert result.percept_ms.rounds == (1.0, 2.0, 3.0)


def test_cpu_time_is_from_mark_to_mark_and_the_sensors_have_their_share_of_the_time():
    marks = [_Mark(at_s=0.0, cpu_s=1.0, calls=0), _Mark(0.5, 1.2, 3), _Mark(1.5, 1.5, 4)]
    spent_s, sensors_s = overhead._spent_from_marks(marks, sensors_share=0.02)
    assert spent_s == pytest.approx([0.2, 0.3])
    assert sensors_s == pytest.approx([0.01, 0.02])


def test_what_the_calls_would_have_taken_bare_is_added_up_from_mark_to_mark():
    marks = [_Mark(0.0, 0.0, 1), _Mark(0.5, 0.0, 3), _Mark(1.5, 0.0, 4)]
    calls = [Call(graph, 0, 1) for graph in ("text", "image", "fusion", "fusion", "audio")]
    needed_s = overhead._needed_from_marks(marks, calls, {"image": 0.1, "fusion": 0.01, "audio": 5.0, "text": 7.0})
    assert needed_s == pytest.approx([0.11, 0.01])


class BusyEngine(NotedEngine):
    """Computes in the thread of its caller, or in another."""

    def __init__(self, elsewhere: bool) -> None:
        super().__init__(["x"], {})
        self._elsewhere = elsewhere

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self._elsewhere:
            thread = threading.Thread(target=self._compute)
            thread.start()
            thread.join()
        else:
            self._compute()
        return {}

    def _compute(self) -> None:
        until_ns = time.thread_time_ns() + 20_000_000
        while time.thread_time_ns() < until_ns:
            pass


@pytest.mark.parametrize(("elsewhere", "clock"), [(False, time.thread_time_ns), (True, time.process_time_ns)])
def test_an_engine_with_threads_of_its_own_is_counted_by_the_process(elsewhere, clock):
    assert overhead._choose_clock(BusyEngine(elsewhere), FEED) is clock


def test_too_few_percepts_are_not_measured(monkeypatch, variant):
    """Ten frames make no stretch of CPU time."""
    with pytest.raises(BenchError, match=r"percepts of frames at 20 Hz are too few to measure"):
        overhead.measure_overhead(variant, rate_hz=20.0, seconds=0.3, sensors=[SensorRun(1.0, 0.01)])
