"""Which values a graph's tensors take on real samples: what int8 ranges and float16's limits are decided by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization.calibrate import HistogramCollector

from edgefuse.calibration.quantization import ArrayReader

Method = Literal["minmax", "entropy", "percentile"]
METHODS: tuple[Method, ...] = ("minmax", "entropy", "percentile")

Limits = dict[str, tuple[np.float32, np.float32]]
"""The smallest and the largest value of each tensor."""

PERCENTILE = 99.99
"""Of the values, what is inside the range; onnxruntime's own 99.999 hardly differs from minmax."""

BINS = 2048
LEVELS = 128
"""Of int8, for magnitudes."""

STRIDE = 4
"""Of the bins at which entropy may clip, every fourth is tried."""

MOST_VALUES = 1_000_000_000
"""About how many are counted in all, half a minute's work; a graph with more to show gets fewer samples, evenly taken.
"""

FEWEST_SAMPLES = 32
MOST_BATCH_VALUES = 50_000_000
"""What the tensors of one batch may hold [values]: 200 MB of float32."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The histograms of a graph's tensors; `samples` says of how many samples."""

    histograms: HistogramCollector
    samples: int

    def by(self, method: Method) -> Limits:
        """The smallest and the largest value that int8 has to hold, by tensor."""
        limits_of = {"minmax": _extremes, "percentile": _percentile_limits, "entropy": _entropy_limits}[method]
        found = {name: limits_of(*kept[:4]) for name, kept in self.histograms.get_histogram_dict().items()}
        return {name: (np.float32(lowest), np.float32(highest)) for name, (lowest, highest) in found.items()}


def measure_ranges(
    model: onnx.ModelProto,
    tensors: Collection[str],
    arrays: Mapping[str, np.ndarray],
    constant: Mapping[str, np.ndarray],
) -> Ranges:
    """The ranges of float32 `tensors` of `model`, on `arrays` (samples, ...) with `constant` beside every batch."""
    collector = empty_histograms()
    with TemporaryDirectory(prefix="edgefuse-") as directory:
        path = Path(directory) / "shown.onnx"
        onnx.save(_showing(model, tensors), path)
        session = _session(path)
        rows, batch = _plan(session, tensors, arrays, constant)
        reader = ArrayReader({name: array[rows] for name, array in arrays.items()}, constant, batch)
        for values in _values(session, tensors, reader):
            collector.collect_value(values)
    return Ranges(collector, len(rows))


def empty_histograms() -> HistogramCollector:
    """Counts values into BINS bins a tensor, and more where later batches go beyond the first."""
    return HistogramCollector("entropy", False, BINS, LEVELS, PERCENTILE, "same")


def measure_peaks(
    model: onnx.ModelProto,
    tensors: Collection[str],
    arrays: Mapping[str, np.ndarray],
    constant: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """The largest magnitude that each float32 tensor of `model` reaches on FEWEST_SAMPLES samples."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    for name in tensors:
        shown.graph.node.add(op_type="Abs", input=[name], output=[f"{name}/abs"])
        largest = shown.graph.node.add(op_type="ReduceMax", input=[f"{name}/abs"], output=[f"{name}/peak"])
        largest.attribute.append(onnx.helper.make_attribute("keepdims", 0))
        shown.graph.output.append(onnx.helper.make_tensor_value_info(f"{name}/peak", onnx.TensorProto.FLOAT, []))
    peaks = dict.fromkeys(tensors, 0.0)
    with TemporaryDirectory(prefix="edgefuse-") as directory:
        path = Path(directory) / "peaks.onnx"
        onnx.save(shown, path)
        session = _session(path)
        rows = _evenly(len(next(iter(arrays.values()))), FEWEST_SAMPLES)
        reader = ArrayReader({name: array[rows] for name, array in arrays.items()}, constant, batch=4)
        for inputs in iter(reader.get_next, None):
            for name, peak in zip(tensors, session.run([f"{name}/peak" for name in tensors], inputs), strict=True):
                peaks[name] = max(peaks[name], float(peak))
    return peaks


def _extremes(counts: np.ndarray, edges: np.ndarray, lowest: float, highest: float) -> tuple[float, float]:
    return lowest, highest


def _percentile_limits(counts: np.ndarray, edges: np.ndarray, lowest: float, highest: float) -> tuple[float, float]:
    """As many values are cut on either side as PERCENTILE leaves."""
    below, cut = counts.cumsum() / counts.sum(), (100 - PERCENTILE) / 200
    left, right = np.searchsorted(below, cut), np.searchsorted(below, 1 - cut)
    return max(lowest, edges[left]), min(highest, edges[right + 1])


def _entropy_limits(counts: np.ndarray, edges: np.ndarray, lowest: float, highest: float) -> tuple[float, float]:
    """The magnitude at which clipping and rounding together lose least (Migacz, GTC 2017, s7310: 8-bit inference).

    onnxruntime's own "entropy" is not used: in 1.32 quantize_static gives it as many bins as levels and no way to
    change that, so that the largest range is the only one it may choose and the method is minmax under another name;
    with more bins it rounds the distribution to whole numbers and clips so hard that embeddings fall to a cosine of
    0.4 (the default bundle's image graph; 0.996 as below).
    """
    half = len(counts) // 2
    magnitudes = (counts[half:] + counts[:half][::-1]).astype(np.float64)
    magnitudes[0] = magnitudes[1]  # zero, which is exact in int8 and frequent after a ReLU, says nothing of the rest
    limit = edges[half + min(range(LEVELS, half + 1, STRIDE), key=lambda kept: _divergence(magnitudes, kept))]
    return max(lowest, -limit), min(highest, limit)


def _divergence(magnitudes: np.ndarray, kept: int) -> float:
    """Kullback-Leibler divergence of the first `kept` bins, what is beyond clipped to the last, from their LEVELS."""
    inside = magnitudes[:kept]
    clipped = inside.copy()
    clipped[-1] += magnitudes[kept:].sum()
    starts = np.arange(LEVELS) * kept // LEVELS
    sums, filled = np.add.reduceat(inside, starts), np.add.reduceat(inside > 0, starts, dtype=np.float64)
    level = np.repeat(sums / np.maximum(filled, 1), np.diff([*starts, kept])) * (inside > 0)
    if not level.any():
        return np.inf
    seen = clipped > 0
    p, q = clipped[seen] / clipped.sum(), np.maximum(level[seen] / level.sum(), 1e-9)
    return float((p * np.log(p / q)).sum())


def _showing(model: onnx.ModelProto, tensors: Collection[str]) -> onnx.ModelProto:
    """A copy whose outputs are `tensors` as well."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    already = {value.name for value in (*shown.graph.output, *shown.graph.input)}
    for name in sorted(set(tensors) - already):
        shown.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return shown


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _plan(
    session: onnxruntime.InferenceSession,
    tensors: Collection[str],
    arrays: Mapping[str, np.ndarray],
    constant: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, int]:
    """Which samples are counted, and how many at a time, so that neither time nor memory run away."""
    count = len(next(iter(arrays.values())))
    one = ArrayReader({name: array[:1] for name, array in arrays.items()}, constant)
    values = max(1, sum(array.size for array in next(_values(session, tensors, one)).values()))
    rows = _evenly(count, max(FEWEST_SAMPLES, MOST_VALUES // values))
    return rows, int(np.clip(MOST_BATCH_VALUES // values, 1, 32))


def _evenly(count: int, most: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def _values(
    session: onnxruntime.InferenceSession, tensors: Collection[str], reader: ArrayReader
) -> Iterator[dict[str, np.ndarray]]:
    """Batch by batch, the values of `tensors`, each one's in a row."""
    inputs = {node.name for node in session.get_inputs()}
    shown = [name for name in tensors if name not in inputs]
    for batch in iter(reader.get_next, None):
        outputs = dict(zip(shown, session.run(shown, batch), strict=True))
        yield outputs | {name: batch[name] for name in tensors if name in inputs}
