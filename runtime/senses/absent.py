"""What an absent sense is given as: zeros."""

from __future__ import annotations

import numpy as np

from edgefuse.runtime.bundle.manifest import Manifest, TensorSpec
from edgefuse.runtime.bundle.wiring import Dim, inputs_from_sense

_FRAME_SIDE = 224
"""Of a frame that an absent camera stands for, until one of it was seen [pixels]: what networks of images take."""


def absent_inputs(manifest: Manifest) -> dict[str, np.ndarray]:
    """By input of the fusion graph: the zeros that an absent sense is given as."""
    shapes = {
        name: shape for modality in manifest.modalities for name, (_, shape) in inputs_from_sense(modality).items()
    }
    inputs = [tensor for tensor in manifest.fusion.inputs if tensor.name in shapes]
    return {tensor.name: _zeros(tensor, shapes[tensor.name]) for tensor in inputs}


def _zeros(tensor: TensorSpec, sensed: tuple[Dim, ...]) -> np.ndarray:
    sizes = zip(tensor.shape[1:], sensed[1:], strict=True)
    return np.zeros((1, *(_size(declared, given) for declared, given in sizes)), tensor.dtype)


def _size(declared: Dim, given: Dim) -> int:
    """Of one dimension, by the fusion graph or else by the sense; where both leave it open, any that works."""
    for size in (declared, given):
        if isinstance(size, int):
            return size
    return _FRAME_SIDE if given in ("height", "width") else 1
