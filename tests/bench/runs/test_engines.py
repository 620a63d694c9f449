"""A graph called over and over: how often, on what, by turns, and compared with what."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import pytest
from made_runs import NotedEngine

from edgefuse.bench.extent import Effort
from edgefuse.bench.runs.engines import BLOCK, WARM_UP, Fed, measure_graph

FEED = [{"x": np.full(1, value, np.float32)} for value in range(3)]
LONG = 3600.0


class SlowEngine(NotedEngine):
    """Takes so long, busily, whatever else the machine does."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__(["x"], {})
        self._busy_ns = milliseconds * 1e6

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        until_ns = time.perf_counter_ns() + self._busy_ns
        while time.perf_counter_ns() < until_ns:
            pass
        return super().run(inputs)


def test_it_is_called_in_whole_blocks_after_a_warm_up():
    engine = NotedEngine(["x"], {})
    (result,) = measure_graph("image", {"bundle": Fed(engine, FEED, "cpu")}, Effort(BLOCK * 2 + 1, LONG))
    assert len(engine.given) == WARM_UP + 3 * BLOCK
    assert result.latency_ms.samples == 3 * BLOCK
    assert len(result.latency_ms.rounds) == 3


def test_at_least_two_blocks_are_called_however_long_that_takes():
    engine = NotedEngine(["x"], {})
    (result,) = measure_graph("image", {"bundle": Fed(engine, FEED, "cpu")}, Effort(1000, 0.0))
    assert result.latency_ms.samples == 2 * BLOCK


def test_the_inputs_take_turns():
    engine = NotedEngine(["x"], {})
    measure_graph("image", {"bundle": Fed(engine, FEED, "cpu")}, Effort(1, LONG))
    block = [float(inputs["x"][0]) for inputs in engine.given[WARM_UP : WARM_UP + BLOCK]]
    assert block == [call % 3 for call in range(BLOCK)]


def test_variants_take_turns_block_by_block():
    called: list[str] = []

    class Named(NotedEngine):
        def __init__(self, name: str) -> None:
            super().__init__(["x"], {})
            self._name = name

        def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            called.append(self._name)
            return {}

    measure_graph("image", {name: Fed(Named(name), FEED, "cpu") for name in "ab"}, Effort(3 * BLOCK, LONG))
    blocks = called[2 * WARM_UP :: BLOCK]
    assert "".join(blocks) == "abbaab"


def test_the_others_are_compared_with_the_first():
    slow, slower = SlowEngine(0.2), SlowEngine(0.6)
    first, second = measure_graph(
        "fusion", {"a": Fed(slow, FEED, "cpu, fp32"), "b": Fed(slower, FEED, "cpu, int8")}, Effort(100, LONG)
    )
    assert (first.variant, first.graph, first.backend, first.ratio) == ("a", "fusion", "cpu, fp32", None)
    assert second.backend == "cpu, int8"
    assert second.ratio is not None
    assert second.ratio.value == pytest.approx(3.0, rel=0.2)
    assert second.throughput_hz == pytest.approx(1e3 / second.latency_ms.mean)
    assert first.latency_ms.curve[0] >= 0.2
