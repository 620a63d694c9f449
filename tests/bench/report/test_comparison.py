"""Faster, slower or the same, on results whose rounds are made up."""

from __future__ import annotations

import pytest
from made_results import STEADY, engine, full_result, live, pipeline, result, stack

from edgefuse.bench.errors import BenchError
from edgefuse.bench.report.comparison import FEWEST_ROUNDS, TOLERANCE, Change, compare, find_differences
from edgefuse.bench.report.result import Result


def graph(*rounds: float, variant: str = "bundle", cpu: str = "a CPU") -> Result:
    """A result of one graph whose rounds had these medians [ms]."""
    empty = result(engines=(engine(variant, rounds),), bundles=())
    return empty.model_copy(update={"host": empty.host.model_copy(update={"cpu": cpu})})


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (STEADY, "same"),
        ([1.3 * value for value in STEADY], "slower"),
        ([value / 1.3 for value in STEADY], "faster"),
        ([1.03 * value for value in STEADY], "same"),  # sure, but less than the tolerance
        ((0.7, 1.9, 1.2, 0.8, 1.6, 1.3), "same"),  # more, but drowned in noise
    ],
)
def test_the_noise_is_taken_into_account(new, verdict):
    (change,) = compare(graph(*new), graph(*STEADY))
    assert change.verdict == verdict
    assert change.low <= change.ratio <= change.high


def test_what_only_one_has_is_not_compared():
    with pytest.raises(BenchError, match="nothing to compare"):
        compare(graph(*STEADY, variant="mine"), graph(*STEADY, variant="yours"))


def test_another_machine_is_said():
    assert find_differences(graph(1.0), graph(1.0)) == []
    (line,) = find_differences(graph(1.0, cpu="another CPU"), graph(1.0))
    assert line.startswith("another machine: a CPU")


def test_a_live_source_has_no_rate_to_compare():
    own = graph(1.0).configuration.model_copy(update={"rate_hz": None})
    live = graph(1.0).model_copy(update={"configuration": own})
    assert find_differences(live, graph(1.0)) == ["another rate: 30 Hz is now the devices' own"]


def verdict_of(low: float, high: float) -> str:
    return Change("bundle", "percept", 1.0, 1.0, 1.0, low, high).verdict


def test_what_touches_the_tolerance_is_the_same():
    limit = 1 + TOLERANCE
    assert verdict_of(limit, 2.0) == "same"
    assert verdict_of(limit + 1e-9, 2.0) == "slower"
    assert verdict_of(0.5, 1 / limit) == "same"
    assert verdict_of(0.5, 1 / limit - 1e-9) == "faster"
    assert verdict_of(0.5, 2.0) == "same"


def test_a_quantity_of_too_few_rounds_is_left_out():
    few, enough = STEADY[: FEWEST_ROUNDS - 1], STEADY[:FEWEST_ROUNDS]
    with pytest.raises(BenchError, match="nothing to compare"):
        compare(graph(*STEADY), graph(*few))
    with pytest.raises(BenchError, match="nothing to compare"):
        compare(graph(*few), graph(*STEADY))
    assert len(compare(graph(*enough), graph(*STEADY))) == 1


def test_the_refusal_names_what_was_measured():
    old, new = (
        full_result(name).model_copy(update={"engines": (), "pipelines": (), "ros": (), "live": ()}) for name in "ab"
    )
    with pytest.raises(BenchError, match="the old result is of a, other, the new one of b, other"):
        compare(new, old)


def test_every_time_of_a_result_is_compared():
    changes = compare(full_result(), full_result())
    assert {(change.variant, change.what) for change in changes} == {
        ("bundle", "graph image"),
        ("other", "graph image"),
        ("bundle", "percept"),
        ("bundle", "CPU per percept"),
        ("bundle", "start to the first percept"),
        ("other", "percept"),
        ("other", "CPU per percept"),
        ("other", "start to the first percept"),
        ("bundle, live", "percept"),
        ("bundle, live", "CPU per percept"),
        ("onboard node", "percept"),
        ("onboard node", "CPU per percept"),
        ("separate nodes", "percept"),
        ("separate nodes", "CPU per percept"),
    }
    assert {change.verdict for change in changes} == {"same"}


@pytest.mark.parametrize("slower", ["pipelines", "live", "ros"])
def test_only_what_is_slower_is_said_to_be(slower):
    makers = {"pipelines": pipeline, "live": live, "ros": stack}
    steady = result(**{kind: (make(),) for kind, make in makers.items()})
    changed = steady.model_copy(update={slower: (makers[slower](rounds=[1.5 * value for value in STEADY]),)})
    verdicts = {(change.variant, change.what): change.verdict for change in compare(changed, steady)}
    assert sorted(verdicts.values()) == ["same"] * (len(verdicts) - 2) + ["slower"] * 2
    assert {what for (_, what), verdict in verdicts.items() if verdict == "slower"} == {"percept", "CPU per percept"}


def test_a_start_is_compared_in_milliseconds():
    (start,) = [change for change in compare(full_result(), full_result()) if change.what.startswith("start")][:1]
    assert start.old == start.new == pytest.approx(600)


def test_all_that_makes_two_results_not_comparable_is_said():
    old = result()
    host = old.host.model_copy(update={"cores": 8, "load": (3.0, 3.0)})
    configuration = old.configuration.model_copy(update={"source": "another.mp4", "rate_hz": 60.0})
    lines = find_differences(old.model_copy(update={"host": host, "configuration": configuration}), old)
    assert lines == [
        "another machine: a CPU, 2 cores, is now a CPU, 8",
        "another rate: 30 Hz is now 60 Hz",
        "another source: clip is now another.mp4",
        "another load average: 0 is now 3",
    ]


@pytest.mark.parametrize(("load", "lines"), [(1.0, 0), (1.01, 1)])
def test_a_little_more_load_is_none(load, lines):
    busy = result().host.model_copy(update={"load": (load, 0.0)})
    assert len(find_differences(result(host=busy), result())) == lines
    assert len(find_differences(result(), result(host=busy))) == lines
