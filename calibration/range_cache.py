"""Measured ranges, kept on disk by what they were measured on, so that a second export need not measure again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from edgefuse.calibration import ranges
from edgefuse.calibration.ranges import Ranges, empty_histograms, measure_ranges
from edgefuse.runtime.engines.cache_folder import cache_folder, mark_used, prune
from edgefuse.runtime.engines.processor import this_cpu
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.files.arrays import read_arrays
from edgefuse.runtime.files.whole_file import write_beside

_LAYOUT = 1
_log = logging.getLogger(__name__)


def ranges_once(
    model: onnx.ModelProto,
    tensors: Collection[str],
    arrays: Mapping[str, np.ndarray],
    constant: Mapping[str, np.ndarray],
) -> Ranges:
    """What `measure_ranges` says, measured once: from `edgefuse/ranges` in the user's cache directory if it is there.

    The files are pruned like every cache. A file that is damaged or another's is replaced; where files cannot be
    written, that is logged once and the ranges are measured every time.
    """
    folder = cache_folder()
    if folder is None:
        return measure_ranges(model, tensors, arrays, constant)
    key = range_key(model, tensors, arrays, constant)
    path = folder / "ranges" / f"{key}.npz"
    kept = _read(path, key, tensors)
    if kept is not None:
        _log.info("a graph's ranges are taken from %s, as they were measured before", path)
        mark_used(path)
        return kept
    measured = measure_ranges(model, tensors, arrays, constant)
    try:
        _write(path, key, measured)
        prune(path)
    except OSError as error:
        _complain(path.parent, error.strerror or type(error).__name__)
    return measured


def range_key(
    model: onnx.ModelProto,
    tensors: Collection[str],
    arrays: Mapping[str, np.ndarray],
    constant: Mapping[str, np.ndarray],
) -> str:
    """The name of everything that decides the ranges: graph, samples, and what they are computed and counted with."""
    parts = [
        _LAYOUT,
        hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest(),
        list(tensors),
        _contents(arrays),
        _contents(constant),
        [ranges.BINS, ranges.MOST_VALUES, ranges.FEWEST_SAMPLES, ranges.MOST_BATCH_VALUES],
        [np.__version__, onnxruntime.__version__, onnxruntime.get_build_info(), this_cpu()],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _contents(arrays: Mapping[str, np.ndarray]) -> list[tuple[str, str, tuple[int, ...], str]]:
    return [
        (name, array.dtype.str, array.shape, hashlib.sha256(np.ascontiguousarray(array).data).hexdigest())
        for name, array in sorted(arrays.items())
    ]


def _read(path: Path, key: str, tensors: Collection[str]) -> Ranges | None:
    """What the file holds; None if it is not there, damaged, or not of these tensors."""
    try:
        if not path.is_file():
            return None
        arrays = read_arrays(path)
        histograms = empty_histograms()
        for place, name in enumerate(arrays["tensors"].tolist()):
            counts, edges, extremes = (arrays[f"{part}{place}"] for part in ("counts", "edges", "extremes"))
            _check(counts, edges, extremes)
            histograms.histogram_dict[name] = (counts, edges, *extremes)
        if arrays["key"].item() != key or set(histograms.histogram_dict) != set(tensors):
            raise ValueError("it holds other ranges")
        return Ranges(histograms, int(arrays["samples"]))
    except (EdgefuseError, ValueError, TypeError, KeyError) as error:
        _log.info("%s is measured anew: %s", path, error)
        return None


def _check(counts: np.ndarray, edges: np.ndarray, extremes: np.ndarray) -> None:
    """Raises ValueError unless the arrays are a histogram."""
    if counts.ndim != 1 or edges.shape != (len(counts) + 1,) or extremes.shape != (3,):
        raise ValueError("it holds no histograms")


def _write(path: Path, key: str, measured: Ranges) -> None:
    """Whole; an OSError leaves nothing behind."""
    kept = measured.histograms.get_histogram_dict()
    parts = {"key": np.array(key), "samples": np.array(measured.samples), "tensors": np.array(list(kept))}
    for place, (counts, edges, *extremes) in enumerate(kept.values()):
        parts |= {f"counts{place}": counts, f"edges{place}": edges, f"extremes{place}": np.array(extremes)}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with write_beside(path) as beside:
        np.savez_compressed(beside, allow_pickle=False, **parts)


@cache
def _complain(directory: Path, reason: str) -> None:
    _log.warning("ranges are measured on every export, since %s cannot keep them: %s", directory, reason)
