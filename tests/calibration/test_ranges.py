"""The ranges of int8, by each method, on a graph whose tensors are known."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefuse.calibration import ranges
from edgefuse.calibration.ranges import Ranges, measure_peaks, measure_ranges


@pytest.fixture
def doubling() -> onnx.ModelProto:
    """x (batch, 1000) -> y, twice as large, through a tensor `sum` = x + x."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1000]) for name in "xy")
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"], name="add"),
        helper.make_node("Identity", ["sum"], ["y"], name="same"),
    ]
    return helper.make_model(
        helper.make_graph(nodes, "doubling", [x], [y]), opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )


@pytest.fixture
def values() -> np.ndarray:
    """Normal, with one value in 20 000 far outside."""
    drawn = np.random.default_rng(0).standard_normal((60, 1000)).astype(np.float32)
    drawn[::20, 0] = 40
    return drawn


def measured(doubling: onnx.ModelProto, values: np.ndarray) -> Ranges:
    return measure_ranges(doubling, ["x", "sum"], {"x": values}, {})


def test_minmax_holds_all_values(doubling: onnx.ModelProto, values: np.ndarray) -> None:
    limits = measured(doubling, values).by("minmax")
    assert limits["x"] == (values.min(), 40)
    assert limits["sum"] == (2 * values.min(), 80)


def test_percentile_leaves_out_the_rarest_on_either_side(doubling: onnx.ModelProto, values: np.ndarray) -> None:
    lowest, highest = measured(doubling, values).by("percentile")["x"]
    low, high = np.percentile(values, [0.005, 99.995])
    width_of_a_bin = 80 / ranges.BINS
    assert lowest == pytest.approx(low, abs=2 * width_of_a_bin)
    assert highest == pytest.approx(high, abs=2 * width_of_a_bin)


def test_entropy_clips_what_is_rare_but_not_what_is_common(doubling: onnx.ModelProto, values: np.ndarray) -> None:
    lowest, highest = measured(doubling, values).by("entropy")["x"]
    assert 2.5 < highest < 20
    assert -highest <= lowest < -2.5
    even = np.random.default_rng(1).uniform(-1, 1, (60, 1000)).astype(np.float32)
    assert measured(doubling, even).by("entropy")["x"][1] > 0.95


def test_a_tensor_of_zeros_has_a_range(doubling: onnx.ModelProto) -> None:
    for method in ranges.METHODS:
        limits = measured(doubling, np.zeros((4, 1000), np.float32)).by(method)
        assert np.isfinite(limits["sum"]).all()


def test_large_graphs_are_measured_on_fewer_samples_evenly_taken(
    doubling: onnx.ModelProto, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measured(doubling, values).samples == 60
    monkeypatch.setattr(ranges, "MOST_VALUES", 80_000)
    assert measured(doubling, values).samples == 40
    monkeypatch.setattr(ranges, "MOST_VALUES", 1)
    few = measured(doubling, values)
    assert few.samples == ranges.FEWEST_SAMPLES
    assert few.by("minmax")["x"][1] == 40


def test_peaks_are_the_largest_magnitudes(doubling: onnx.ModelProto, values: np.ndarray) -> None:
    negative = np.minimum(values, 0)
    peaks = measure_peaks(doubling, ["x", "sum"], {"x": negative[:20]}, {})
    assert peaks == pytest.approx({"x": -negative[:20].min(), "sum": -2 * negative[:20].min()})
