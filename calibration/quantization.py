"""What feeds the collection of quantization ranges: arrays of real samples, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgefuse.runtime.bundle.manifest import TensorSpec
from edgefuse.runtime.errors import CalibrationError


class ArrayReader:
    """Feeds one graph from whole arrays: `arrays[input]` is (samples, ...), cut along its first axis.

    An input in `constant` is given whole with every batch (the prompts of a fusion graph). The arrays are borrowed.
    It has the methods of onnxruntime's CalibrationDataReader, which takes any class that has them.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        constant: Mapping[str, np.ndarray] | None = None,
        batch: int = 32,
    ) -> None:
        self._arrays = dict(arrays)
        self._constant = dict(constant or {})
        self._batch = batch
        self._samples = _common_length(self._arrays)
        self._next = 0

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by input name; None when all samples have been given."""
        if self._next >= self._samples:
            return None
        rows = slice(self._next, self._next + self._batch)
        self._next = rows.stop
        return {name: array[rows] for name, array in self._arrays.items()} | self._constant

    def __len__(self) -> int:
        """The number of batches."""
        return -(-self._samples // self._batch)


def check_samples(inputs: tuple[TensorSpec, ...], arrays: Mapping[str, np.ndarray]) -> None:
    """Raises CalibrationError, naming the input, unless `arrays` holds what the graph's `inputs` take."""
    missing = [tensor.name for tensor in inputs if tensor.name not in arrays]
    if missing:
        raise CalibrationError(f"the calibration samples lack {', '.join(missing)}")
    for tensor in inputs:
        array = arrays[tensor.name]
        if array.dtype != tensor.dtype or not _fits(array.shape, tensor.shape):
            raise CalibrationError(
                f"calibration samples of {tensor.name} are {array.dtype} {list(array.shape)}, "
                f"expected {tensor.dtype} {list(tensor.shape)}"
            )
        if not np.isfinite(array).all():
            raise CalibrationError(f"calibration samples of {tensor.name} hold NaN or infinity")


def _fits(shape: tuple[int, ...], declared: tuple[int | str, ...]) -> bool:
    return len(shape) == len(declared) and all(
        isinstance(said, str) or said == size for size, said in zip(shape, declared, strict=True)
    )


def _common_length(arrays: Mapping[str, np.ndarray]) -> int:
    lengths = {name: len(array) for name, array in arrays.items()}
    if not lengths or min(lengths.values()) == 0:
        raise CalibrationError("the calibration set is empty; ranges are measured from real samples")
    if len(set(lengths.values())) > 1:
        raise CalibrationError(f"calibration inputs differ in their number of samples: {lengths}")
    return next(iter(lengths.values()))
