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
from edgefuse.runtime.engines.processor import this_cpu
from edgefuse.runtime.files.cache_folder import cache_folder
from edgefuse.runtime.files.sealed_cache import SealedCache

_LAYOUT, _ARRAYS = 2, "ranges.npz"
_log = logging.getLogger(__name__)


def ranges_once(
    model: onnx.ModelProto,
    tensors: Collection[str],
    arrays: Mapping[str, np.ndarray],
    constant: Mapping[str, np.ndarray],
) -> Ranges:
    """What `measure_ranges` says, measured once: from `edgefuse/ranges` in the user's cache directory if it is there.

    Where nothing can be kept, that is logged once and the ranges are measured every time.
    """
    folder = cache_folder()
    if folder is None:
        return measure_ranges(model, tensors, arrays, constant)
    cache, key = SealedCache(folder / "ranges"), range_key(model, tensors, arrays, constant)
    kept = cache.load(key, lambda entry: _read(entry, tensors))
    if kept is not None:
        _log.info("a graph's ranges are taken from %s, as they were measured before", cache.directory / key)
        return kept
    measured = measure_ranges(model, tensors, arrays, constant)
    try:
        cache.save(key, lambda entry: _write(entry, measured))
    except OSError as error:
        _complain(cache.directory, error.strerror or type(error).__name__)
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


def _read(entry: Path, tensors: Collection[str]) -> Ranges:
    """What the entry holds; raises ValueError where that is not of these tensors."""
    with np.load(entry / _ARRAYS, allow_pickle=False) as file:
        histograms = empty_histograms()
        for place, name in enumerate(file["tensors"].tolist()):
            counts, edges, extremes = (file[f"{part}{place}"] for part in ("counts", "edges", "extremes"))
            histograms.histogram_dict[name] = (counts, edges, *extremes)
        if set(histograms.histogram_dict) != set(tensors):
            raise ValueError("it holds other ranges")
        return Ranges(histograms, int(file["samples"]))


def _write(entry: Path, measured: Ranges) -> None:
    kept = measured.histograms.get_histogram_dict()
    parts = {"samples": np.array(measured.samples), "tensors": np.array(list(kept))}
    for place, (counts, edges, *extremes) in enumerate(kept.values()):
        parts |= {f"counts{place}": counts, f"edges{place}": edges, f"extremes{place}": np.array(extremes)}
    np.savez_compressed(entry / _ARRAYS, allow_pickle=False, **parts)


@cache
def _complain(directory: Path, reason: str) -> None:
    _log.warning("ranges are measured on every export, since %s cannot keep them: %s", directory, reason)
