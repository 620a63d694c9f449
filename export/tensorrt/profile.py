"""Which sizes an engine takes: the smallest, the usual and the largest of each varying dimension."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from edgefuse.export.errors import ExportError
from edgefuse.runtime.bundle.manifest import Manifest, TensorSpec

Sizes: TypeAlias = tuple[int, int, int]
"""Smallest, usual and largest; the engine is tuned for the usual."""

Profile: TypeAlias = dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]
"""By input: the smallest, the usual and the largest shape."""

SIZES: Final[Mapping[str, Sizes]] = {
    "batch": (1, 1, 8),
    "height": (32, 480, 1080),
    "width": (32, 640, 1920),
}
"""By the dimension's name, unless a user asks for others."""

MOST_CLASSES = 256
"""Prompts at once, unless the bundle has more labels or a user asks for others; usual are the bundle's own."""


def sizes_from(options: Iterable[str]) -> dict[str, Sizes]:
    """What a user asked for: `height=120,480,720`, or `batch=16` for 1 up to 16; ExportError if it is unreadable."""
    parts = [option.partition("=") for option in options]
    return {name.strip(): _sizes(f"{name}={values}", values) for name, _, values in parts}


def profile_of(name: str, manifest: Manifest, asked: Mapping[str, Sizes]) -> Profile:
    """The shapes of every input of one graph; ExportError where a varying dimension has no known sizes."""
    sizes = _sizes_of(name, manifest, asked)
    return {tensor.name: _shapes(name, tensor, sizes) for tensor in manifest.graphs[name].inputs}


def _sizes_of(name: str, manifest: Manifest, asked: Mapping[str, Sizes]) -> Mapping[str, Sizes]:
    """What applies to one graph. The text graph that prompts go through is given all of them in one batch."""
    labels = len(manifest.labels)
    sizes = {**SIZES, "classes": (1, labels, max(labels, MOST_CLASSES)), **asked}
    if manifest.naming is not None and manifest.naming.name == name:
        smallest, usual, largest = sizes["batch"]
        sizes["batch"] = (smallest, usual, max(largest, sizes["classes"][2]))
    return sizes


def _shapes(
    graph: str, tensor: TensorSpec, sizes: Mapping[str, Sizes]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    chosen = [(d, d, d) if isinstance(d, int) else _chosen(graph, tensor, d, sizes) for d in tensor.shape]
    smallest, usual, largest = (tuple(one[bound] for one in chosen) for bound in range(3))
    return smallest, usual, largest


def _chosen(graph: str, tensor: TensorSpec, dimension: str, sizes: Mapping[str, Sizes]) -> Sizes:
    """A dimension's own sizes, or those of its last word: `wrist_height` is a height."""
    for name in (dimension, dimension.rpartition("_")[2]):
        if name in sizes:
            return sizes[name]
    raise ExportError(
        f"graph {graph}: input {tensor.name} varies in {dimension!r}, whose sizes are not known; "
        f"give its smallest, usual and largest: --size {dimension}=1,8,64"
    )


def _sizes(option: str, values: str) -> Sizes:
    try:
        numbers = [int(value) for value in values.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers = [1, 1, *numbers]
    if len(numbers) != 3 or not 1 <= numbers[0] <= numbers[1] <= numbers[2]:
        raise ExportError(f"--size {option}: expected NAME=SMALLEST,USUAL,LARGEST, such as height=120,480,720")
    return numbers[0], numbers[1], numbers[2]
