"""Percentiles, ratios and their ranges, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgefuse.bench.report.figures import compare_rounds, figure_from, percentile_ratio, ratio_from


def test_percentiles_are_of_all_samples_of_all_rounds():
    figure = figure_from([list(range(1, 51)), list(range(51, 102))])  # 1 to 101: the p-th percentile is 1 + p
    assert (figure.samples, figure.mean) == (101, 51)
    assert (figure.p50, figure.p90, figure.p95, figure.p99) == pytest.approx((51, 91, 96, 100))
    assert figure.p999 == pytest.approx(100.9)
    assert figure.curve == tuple(range(1, 102))


def test_a_rounds_value_is_its_median_not_its_mean():
    assert figure_from([[1, 2, 300], [4, 5]]).rounds == (2, 4.5)


def test_a_round_without_samples_counts_for_nothing():
    assert figure_from([[], [1.0, 3.0], []]) == figure_from([[1.0, 3.0]])


def test_one_sample_is_all_percentiles():
    figure = figure_from([[7.0]])
    assert {figure.mean, figure.p50, figure.p90, figure.p99, figure.p999, *figure.curve} == {7.0}


def test_a_ratio_is_of_rounds_side_by_side():
    drifting = [1.0, 2.0, 3.0, 4.0, 5.0]
    ratio = ratio_from([2 * value for value in drifting], drifting)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
    assert ratio.rounds == 5


def test_a_ratio_is_the_median_of_the_ratios():
    assert ratio_from([2.0, 30.0, 3.0], [1.0, 1.0, 1.0]).value == pytest.approx(3.0)
    assert ratio_from([1.0, 4.0], [1.0, 1.0]).value == pytest.approx(2.0), "halfway between is the geometric mean"


def test_a_ratio_and_its_inverse_say_the_same():
    new, old = [1.0, 1.2, 0.9, 1.1], [2.0, 2.1, 1.9, 2.3]
    there, back = ratio_from(new, old), ratio_from(old, new)
    assert there.value == pytest.approx(1 / back.value)
    assert there.low < there.value < there.high


def test_few_rounds_that_differ_are_not_sure():
    """Of three rounds, all on one side by chance."""
    ratio = ratio_from([0.97, 0.85, 0.98], [1.0, 1.0, 1.0])
    assert ratio.low < 0.85
    assert ratio.high > 1.0


def test_the_range_of_few_rounds_is_students_t():
    """Logarithms 0.1, 0.2, 0.3: median 0.2, error 0.1 / sqrt(3), and t of two degrees of freedom at 97.5 % is 4.303."""
    ratio = ratio_from(np.exp([0.1, 0.2, 0.3]), np.ones(3))
    reach = 4.303 * 0.1 / math.sqrt(3)
    assert math.log(ratio.low) == pytest.approx(0.2 - reach, rel=0.15, abs=0.03)
    assert math.log(ratio.high) == pytest.approx(0.2 + reach, rel=0.15)


def test_the_range_of_many_rounds_is_of_rounds_that_came():
    """By resampling, which cannot leave what was seen; a single outlier does not move it."""
    rounds = [1.0, 1.1] * 10 + [50.0]
    ratio = ratio_from(rounds, np.ones(len(rounds)))
    assert 1.0 <= ratio.low <= ratio.high <= 1.1 + 1e-9


def test_one_round_has_no_range():
    ratio = ratio_from([3.0], [2.0])
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_same_rounds_give_the_same_range_each_time():
    new, old = [1.0, 1.2, 0.9, 1.1], [2.0, 2.1, 1.9, 2.3]
    assert ratio_from(new, old) == ratio_from(new, old)
    assert compare_rounds(new, old) == compare_rounds(new, old)


@pytest.mark.parametrize("percentile", [50, 95])
def test_the_ratio_of_a_percentile_is_of_that_percentile(percentile):
    values = np.arange(1.0, 101.0)
    ratio = percentile_ratio(3 * values, values, percentile)
    assert ratio.value == pytest.approx(3.0)
    assert (ratio.low, ratio.high) == pytest.approx((3.0, 3.0)), "pairs are resampled together"


def test_a_slow_tail_shows_in_the_high_percentile_only():
    reference = np.ones(200)
    values = np.where(np.arange(200) % 10 == 0, 5.0, 1.0)
    assert percentile_ratio(values, reference, 50).value == 1.0
    assert percentile_ratio(values, reference, 95).value == 5.0


def test_two_runs_are_compared_by_their_medians():
    """They were not side by side: the first of one has nothing to do with the first of the other."""
    value, low, high = compare_rounds([4.0, 2.0, 3.0], [1.0, 2.0, 1.5])
    assert value == pytest.approx(2.0)
    assert low < 2.0 < high


def test_a_run_against_itself_is_not_sure_to_be_the_same():
    rounds = [1.0, 1.1, 0.9, 1.05]
    value, low, high = compare_rounds(rounds, rounds)
    assert value == 1.0
    assert low < 1.0 < high
