"""The self-test: a bundle's golden vectors, replayed on the engines that are about to be used."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import GoldenBound, GraphSpec, TensorSpec
from edgefuse.runtime.bundle.wiring import PROMPTS, fits
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.errors import BundleError, FileError
from edgefuse.runtime.files.arrays import read_arrays
from edgefuse.runtime.files.limits import GOLDEN_SAMPLES

_Vectors: TypeAlias = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""The inputs and the outputs of a graph by name, each (samples, ...), but prompts."""

_log = logging.getLogger(__name__)
_ADVICE = "export it again for this machine, choose another --backend, or go on with --no-selftest"


def replay(bundle: Bundle, engines: Mapping[str, Engine]) -> None:
    """Run the golden inputs of every graph in `engines`, one sample at a time as a perceiver does.

    Raises BundleError for an output that is farther from PyTorch's than the manifest allows, and for a file that does
    not hold what the graphs take. A bundle without golden vectors passes.
    """
    for bound, wrong in _failures(bundle, engines):
        where = f"graph {bound.graph}, output {bound.output} on {engines[bound.graph].backend}"
        raise BundleError(f"{bundle.directory} failed its self-test: {where}: {wrong}; {_ADVICE}")
    if bundle.manifest.golden is not None:
        _log.info("the golden vectors of %s come out right", bundle.directory)


def why_unproven(bundle: Bundle, graph: str, engine: Engine) -> str | None:
    """Why the golden vectors do not prove that this engine of a graph is right; None if they do."""
    golden = bundle.manifest.golden
    if golden is None or all(bound.graph != graph for bound in golden.bounds):
        return "the bundle has no golden vectors of it"
    try:
        return next((f"{bound.output}: {wrong}" for bound, wrong in _failures(bundle, {graph: engine})), None)
    except BundleError as error:
        return str(error)


def _failures(bundle: Bundle, engines: Mapping[str, Engine]) -> Iterator[tuple[GoldenBound, str]]:
    """Each bound that is broken, and how."""
    golden = bundle.manifest.golden
    if golden is None:
        return
    bounds = {graph: [bound for bound in golden.bounds if bound.graph == graph] for graph in engines}
    for graph, (inputs, expected) in _read(bundle.directory / golden.file, bundle, bounds).items():
        found = _run(engines[graph], inputs)
        for bound in bounds[graph]:
            wrong = _wrong(bound, expected[bound.output], found[bound.output])
            if wrong:
                yield bound, wrong


def _read(path: Path, bundle: Bundle, bounds: Mapping[str, Sequence[GoldenBound]]) -> dict[str, _Vectors]:
    """By graph that is bounded: the inputs by name, and the outputs that are bounded."""
    graphs = {graph: bundle.manifest.graphs[graph] for graph, of_graph in bounds.items() if of_graph}
    wanted = {
        f"{graph}/{side}/{tensor.name}"
        for graph, spec in graphs.items()
        for side, tensors in (("inputs", spec.inputs), ("outputs", spec.outputs))
        for tensor in tensors
    }
    try:
        arrays = read_arrays(path, wanted)
        return {
            graph: _vectors(arrays, graph, spec, {bound.output for bound in bounds[graph]})
            for graph, spec in graphs.items()
        }
    except ValueError as error:
        raise BundleError(f"{path} holds no golden vectors: {error}; copy or export the bundle again") from error
    except FileError as error:
        raise BundleError(f"{error}; copy or export the bundle again") from error


def _vectors(arrays: Mapping[str, np.ndarray], graph: str, spec: GraphSpec, bounded: Collection[str]) -> _Vectors:
    inputs = {tensor.name: _vector(arrays, f"{graph}/inputs", tensor) for tensor in spec.inputs}
    compared = [tensor for tensor in spec.outputs if tensor.name in bounded]
    outputs = {tensor.name: _vector(arrays, f"{graph}/outputs", tensor) for tensor in compared}
    samples = {len(array) for name, array in (inputs | outputs).items() if name != PROMPTS}
    if len(samples) != 1 or 0 in samples:
        raise ValueError(f"the arrays of {graph} have {sorted(samples)} samples")
    if (refusal := GOLDEN_SAMPLES.refusal(max(samples))) is not None:
        raise ValueError(f"of {graph} it has {refusal}")
    return inputs, outputs


def _vector(arrays: Mapping[str, np.ndarray], side: str, tensor: TensorSpec) -> np.ndarray:
    key = f"{side}/{tensor.name}"
    if key not in arrays:
        raise ValueError(f"it has no array {key}")
    array = arrays[key]
    if array.ndim == 0 or not fits(tensor, str(array.dtype), (tensor.shape[0], *array.shape[1:])):
        found, wanted = f"{array.dtype} {list(array.shape)}", f"{tensor.dtype} {list(tensor.shape)}"
        raise ValueError(f"{key} is {found}, expected {wanted}")
    return array


def _run(engine: Engine, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs, each (samples, ...)."""
    samples = len(next(array for name, array in inputs.items() if name != PROMPTS))
    runs = [
        engine.run({name: a if name == PROMPTS else a[index : index + 1] for name, a in inputs.items()})
        for index in range(samples)
    ]
    return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}


def _wrong(bound: GoldenBound, expected: np.ndarray, found: np.ndarray) -> str | None:
    """What is wrong with one output, (samples, ...) twice; None if it is as near as it has to be."""
    if found.shape != expected.shape:
        return f"its shape is {list(found.shape)}, expected {list(expected.shape)}"
    if not np.isfinite(found).all():
        return "it holds NaN or infinity"
    cosine, difference = cosine_similarities(expected, found).min(), np.abs(expected.astype(np.float64) - found).max()
    if bound.cosine is not None and not cosine >= bound.cosine:
        return f"its cosine similarity with PyTorch's is {cosine:.4f}, expected {bound.cosine} or more"
    if bound.difference is not None and not difference <= bound.difference:
        return f"it differs by {difference:.2g} from PyTorch's, expected {bound.difference} or less"
    return None


def cosine_similarities(reference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Per sample, over all its values: (samples, ...) twice -> float64 (samples,); 1 where both are zero."""
    left, right = (array.reshape(len(array), -1).astype(np.float64) for array in (reference, found))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    alike_zero = ~left.any(axis=1) & ~right.any(axis=1)
    return np.where(alike_zero, 1.0, (left * right).sum(axis=1) / np.maximum(norms, 1e-30))
