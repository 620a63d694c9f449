"""Measured ranges are kept and used again for the same graph and samples, and for no others."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefuse.calibration import range_cache
from edgefuse.calibration.range_cache import range_key, ranges_once
from edgefuse.calibration.ranges import METHODS, Ranges, measure_ranges
from edgefuse.runtime.files.cache_folder import MAX_ENTRIES

TENSORS = ["x", "sum"]


def shifting(by: float = 1.0) -> onnx.ModelProto:
    """x (batch, 100) -> y, through `sum` = x + c, and c is an input as well as `by`."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 100]) for name in "xy")
    c = helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])
    nodes = [helper.make_node("Add", ["x", "c"], ["sum"]), helper.make_node("Mul", ["sum", "by"], ["y"])]
    weights = [helper.make_tensor("by", TensorProto.FLOAT, [1], [by])]
    graph = helper.make_graph(nodes, "shifting", [x, c], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def samples(seed: int = 0) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).standard_normal((40, 100)).astype(np.float32)}


CONSTANT = {"c": np.ones(1, np.float32)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ranges of one test are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edgefuse" / "ranges"


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One name of a graph for every time that one is really measured."""
    seen: list[str] = []

    def counted(model: onnx.ModelProto, *given: object) -> Ranges:
        seen.append(model.graph.name)
        return measure_ranges(model, *given)

    monkeypatch.setattr(range_cache, "measure_ranges", counted)
    return seen


def once() -> Ranges:
    return ranges_once(shifting(), TENSORS, samples(), CONSTANT)


def assert_equal(found: Ranges) -> None:
    """To what is measured without a cache."""
    expected = measure_ranges(shifting(), TENSORS, samples(), CONSTANT)
    assert found.samples == expected.samples
    for method in METHODS:
        assert found.by(method) == expected.by(method)
    for name, (counts, edges, *extremes) in expected.histograms.get_histogram_dict().items():
        kept_counts, kept_edges, *kept_extremes = found.histograms.get_histogram_dict()[name]
        np.testing.assert_array_equal(kept_counts, counts)
        np.testing.assert_array_equal(kept_edges, edges)
        assert kept_extremes == extremes


def test_what_was_kept_equals_what_is_measured(measurements: list[str], folder: Path) -> None:
    assert_equal(once())
    assert_equal(once())
    assert measurements == ["shifting"]
    assert len(list(folder.iterdir())) == 1


def test_another_graph_sample_constant_or_tensor_has_another_key() -> None:
    changed = samples()
    changed["x"][39, 99] += 1e-3
    keys = [
        range_key(shifting(), TENSORS, samples(), CONSTANT),
        range_key(shifting(2.0), TENSORS, samples(), CONSTANT),
        range_key(shifting(), TENSORS, changed, CONSTANT),
        range_key(shifting(), TENSORS, {"x": samples()["x"].reshape(20, 200)}, CONSTANT),
        range_key(shifting(), TENSORS, samples(), {"c": np.zeros(1, np.float32)}),
        range_key(shifting(), ["x"], samples(), CONSTANT),
    ]
    assert len(set(keys)) == len(keys)
    assert range_key(shifting(), TENSORS, samples(), CONSTANT) == keys[0]


def test_another_sample_is_measured(measurements: list[str]) -> None:
    once()
    other = ranges_once(shifting(), TENSORS, samples(1), CONSTANT)
    assert len(measurements) == 2
    assert other.by("minmax")["x"] == (samples(1)["x"].min(), samples(1)["x"].max())


@pytest.mark.parametrize("damage", ["bytes", "other"])
def test_a_damaged_or_foreign_entry_is_measured_anew_and_replaced(
    damage: str, measurements: list[str], folder: Path
) -> None:
    once()
    (entry,) = folder.iterdir()
    if damage == "other":
        ranges_once(shifting(2.0), TENSORS, samples(), CONSTANT)
        shutil.rmtree(entry)
        next(folder.iterdir()).rename(entry)
        measurements.pop()
    else:
        (file,) = entry.glob("*.npz")
        whole = file.read_bytes()
        file.write_bytes(whole[:-200] + bytes(200))
    assert_equal(once())
    assert_equal(once())
    assert len(measurements) == 2


def test_a_cache_that_cannot_be_written_is_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the directory should be")
    with caplog.at_level(logging.WARNING):
        assert_equal(once())
        assert_equal(once())
    assert [record.getMessage() for record in caplog.records if str(folder) in record.getMessage()] == [
        f"ranges are measured on every export, since {folder} cannot keep them: File exists"
    ]


def test_the_files_used_last_are_kept(folder: Path, measurements: list[str]) -> None:
    once()
    (first,) = folder.iterdir()
    for place in range(MAX_ENTRIES):
        older = folder / f"{place}.npz"
        older.touch()
        os.utime(older, (place, place))
    (folder / ".new-abandoned").touch()
    os.utime(folder / ".new-abandoned", (0, 0))
    os.utime(first, (MAX_ENTRIES + 1, MAX_ENTRIES + 1))
    once()
    assert first.stat().st_mtime > MAX_ENTRIES + 1
    ranges_once(shifting(), TENSORS, samples(1), CONSTANT)
    kept = {path.name for path in folder.iterdir()}
    assert len(kept) == MAX_ENTRIES
    assert first.name in kept
    assert not kept & {"0.npz", "1.npz", ".new-abandoned"}
