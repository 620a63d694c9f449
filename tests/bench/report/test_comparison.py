"""Faster, slower or the same, on results whose rounds are made up."""

from __future__ import annotations

import numpy as np
import pytest

from edgefuse.bench.errors import BenchError
from edgefuse.bench.report.comparison import compare, find_differences
from edgefuse.bench.report.figures import figure_from, percentile_ratio, ratio_from
from edgefuse.bench.report.result import Configuration, EngineResult, Host, Result


def result(*rounds: float, variant: str = "bundle", cpu: str = "a CPU") -> Result:
    """One graph whose rounds had these medians [ms]."""
    figure = figure_from([[value] for value in rounds])
    engine = EngineResult(
        variant=variant, graph="image", backend="cpu", latency_ms=figure, throughput_hz=1e3 / figure.mean, ratio=None
    )
    return Result(
        host=Host(cpu=cpu, cores=2, memory_mb=1000, governor=None, system="Linux", load=(0.0, 0.0)),
        versions={},
        configuration=Configuration(
            source="clip", rate_hz=30, quick=False, rounds=5, round_s=1, backends=("cpu",), peers=()
        ),
        bundles=(),
        engines=(engine,),
        pipelines=(),
        variants=None,
        peers=None,
        power="none",
    )


STEADY = (1.00, 1.01, 0.99, 1.00, 1.02, 0.98)


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
    (change,) = compare(result(*new), result(*STEADY))
    assert change.verdict == verdict
    assert change.low <= change.ratio <= change.high


def test_what_only_one_has_is_not_compared():
    with pytest.raises(BenchError, match="nothing to compare"):
        compare(result(*STEADY, variant="mine"), result(*STEADY, variant="yours"))


def test_another_machine_is_said():
    assert find_differences(result(1.0), result(1.0)) == []
    (line,) = find_differences(result(1.0, cpu="another CPU"), result(1.0))
    assert line.startswith("another machine: a CPU")


def test_a_ratio_is_of_rounds_side_by_side():
    drifting = [1.0, 2.0, 3.0, 4.0, 5.0]
    ratio = ratio_from([2 * value for value in drifting], drifting)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 2.0, 2.0))


def test_few_rounds_that_differ_are_not_sure():
    """Of three rounds, all on one side by chance."""
    ratio = ratio_from([0.97, 0.85, 0.98], [1.0, 1.0, 1.0])
    assert ratio.low < 0.85
    assert ratio.high > 1.0


def test_the_ratio_of_a_percentile_is_of_that_percentile():
    values = np.arange(1.0, 101.0)
    assert percentile_ratio(3 * values, values, 95).value == pytest.approx(3.0)


def test_a_live_source_has_no_rate_to_compare():
    own = result(1.0).configuration.model_copy(update={"rate_hz": None})
    live = result(1.0).model_copy(update={"configuration": own})
    assert find_differences(live, result(1.0)) == ["another rate: 30 Hz is now the devices' own"]
