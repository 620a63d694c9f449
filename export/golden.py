"""Golden vectors: a few inputs of each graph with PyTorch's outputs, for the runtime to replay when it loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from edgefuse.export.reference import Reference
from edgefuse.export.spec_predictor import Arrays
from edgefuse.export.tracing.graphs import GraphSource
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import Golden, GoldenBound, TensorSpec
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.engines.selftest import cosine_similarities

GOLDEN_FILE = "golden.npz"

SMALL_FRAME = (96, 128)
"""Rows and columns that a larger frame is squeezed to, if its graph takes any size."""

COSINE_MARGIN = 0.01
DIFFERENCE_MARGIN = 0.05
"""What another machine's arithmetic may add to the error that was measured here."""


def write_golden(bundle: Bundle, sources: Sequence[GraphSource], expected: Reference) -> Golden:
    """Write the vectors into the bundle's directory; bounds are what its own engines reach here, less a margin."""
    arrays: Arrays = {}
    bounds: list[GoldenBound] = []
    for source in sources:
        inputs = golden_inputs(source, bundle.manifest.graphs[source.name].inputs, expected)
        outputs = source.run(inputs)
        taken = {tensor.name: inputs[tensor.name] for tensor in bundle.manifest.graphs[source.name].inputs}
        arrays |= {f"{source.name}/inputs/{name}": array for name, array in taken.items()}
        arrays |= {f"{source.name}/outputs/{name}": array for name, array in outputs.items()}
        bounds += golden_bounds(source.name, outputs, _one_by_one(open_engine(bundle, source.name), taken))
    np.savez_compressed(bundle.directory / GOLDEN_FILE, allow_pickle=False, **arrays)
    return Golden(file=GOLDEN_FILE, bounds=tuple(bounds))


def golden_inputs(source: GraphSource, declared: Sequence[TensorSpec], expected: Reference) -> Arrays:
    """One graph's inputs: the first and the middle one of the hold-out examples, the second without its last sense."""
    holdout = expected.spec.holdout
    rows = [0, len(holdout) // 2]
    known: Mapping[str, np.ndarray] = expected.sensed
    if source.name != "fusion":
        known = {source.inputs[0]: holdout.samples[source.name]}
    inputs = {name: np.ascontiguousarray(array[rows]) for name, array in known.items() if name in source.inputs}
    any_size = {tensor.name for tensor in declared if len(tensor.shape) == 4 and isinstance(tensor.shape[1], str)}
    inputs |= {name: small(inputs[name]) for name in any_size}
    if "present" in source.inputs:
        present = np.ones((len(rows), len(expected.spec.modalities)), bool)
        present[1, -1] = present.shape[1] == 1
        inputs["present"] = present
    if expected.prompts is not None and "prompts" in source.inputs:
        inputs["prompts"] = expected.prompts
    return inputs


def golden_bounds(graph: str, expected: Arrays, found: Arrays) -> list[GoldenBound]:
    """How near each output has to come, from how near it came."""
    bounds = []
    for name, array in expected.items():
        if array.ndim > 1:
            cosine = float(cosine_similarities(array, found[name]).min())
            bounds.append(
                GoldenBound(graph=graph, output=name, cosine=round(cosine - COSINE_MARGIN, 4), difference=None)
            )
        else:
            difference = float(np.abs(array - found[name]).max())
            bound = round(difference + DIFFERENCE_MARGIN, 4)
            bounds.append(GoldenBound(graph=graph, output=name, cosine=None, difference=bound))
    return bounds


def small(frames: np.ndarray) -> np.ndarray:
    """uint8 (samples, rows, columns, 3), squeezed if they are larger than they need be."""
    rows, columns = SMALL_FRAME
    if frames.shape[1] <= rows and frames.shape[2] <= columns:
        return frames
    return np.stack([cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA) for frame in frames])


def _one_by_one(engine: Engine, inputs: Arrays) -> Arrays:
    """The outputs, one sample at a time as a perceiver asks for them."""
    count = max(len(array) for name, array in inputs.items() if name != "prompts")
    runs = [
        engine.run({name: array if name == "prompts" else array[i : i + 1] for name, array in inputs.items()})
        for i in range(count)
    ]
    return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
