"""Calibration samples reach the quantizer whole, and bad ones are refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from edgefuse.calibration.quantization import ArrayReader, CalibrationError, check_samples
from edgefuse.runtime.bundle.manifest import TensorSpec

PCM = (TensorSpec(name="pcm", dtype="float32", shape=("batch", 160)),)


def test_every_sample_is_fed_once_in_order() -> None:
    reader = ArrayReader({"x": np.arange(10), "y": np.arange(10) * 2}, {"prompts": np.ones((3, 4))}, batch=4)
    batches = list(iter(reader.get_next, None))
    assert len(reader) == len(batches) == 3
    assert np.concatenate([batch["x"] for batch in batches]).tolist() == list(range(10))
    assert all((batch["y"] == 2 * batch["x"]).all() for batch in batches)
    assert all(batch["prompts"].shape == (3, 4) for batch in batches)
    assert reader.get_next() is None


def test_an_empty_or_uneven_set_is_refused() -> None:
    with pytest.raises(CalibrationError, match="empty"):
        ArrayReader({"x": np.zeros((0, 160), np.float32)})
    with pytest.raises(CalibrationError, match="differ in their number"):
        ArrayReader({"x": np.zeros(3), "y": np.zeros(4)})


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({}, "lack pcm"),
        ({"pcm": np.zeros((4, 320), np.float32)}, r"pcm are float32 \[4, 320\], expected float32 \['batch', 160\]"),
        ({"pcm": np.zeros((4, 160))}, "pcm are float64"),
        ({"pcm": np.full((4, 160), np.nan, np.float32)}, "pcm hold NaN"),
    ],
)
def test_samples_that_do_not_fit_the_graph_are_refused(arrays: dict[str, np.ndarray], reason: str) -> None:
    with pytest.raises(CalibrationError, match=reason):
        check_samples(PCM, arrays)


def test_samples_that_fit_pass() -> None:
    check_samples(PCM, {"pcm": np.zeros((4, 160), np.float32)})
