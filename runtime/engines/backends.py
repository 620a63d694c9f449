"""Which backend runs a graph of a bundle, and why not another."""

from __future__ import annotations

import logging
from pathlib import Path

from edgefuse.runtime.engines.engine import Backend, Engine, mismatch
from edgefuse.runtime.engines.engine_file import open_engine_file
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, open_on_cpu
from edgefuse.runtime.engines.engine_onnxruntime_gpu import CUDA, is_built_in, open_on_cuda, open_on_tensorrt
from edgefuse.runtime.engines.engine_tensorrt import TensorRtEngine
from edgefuse.runtime.engines.gpu import find_gpu
from edgefuse.runtime.errors import BundleError, EngineError
from edgefuse.runtime.manifest import GraphSpec, Manifest

_log = logging.getLogger(__name__)


def open_engine(directory: Path, manifest: Manifest, graph: str, backend: Backend) -> Engine:
    """The engine of a bundle's graph.

    - `cpu`: ONNX Runtime on the CPU.
    - `cuda`: ONNX Runtime's CUDA provider.
    - `tensorrt`: an engine of the bundle that was built for this GPU; for a graph that has none, ONNX Runtime's
      TensorRT provider.
    - `auto`: an engine of the bundle that was built for this GPU, else `cuda` where it works, else `cpu`.

    Raises EngineError where a backend asked for by name is not really usable, never falling back to another, and
    BundleError where the graph is not what its manifest says.
    """
    spec = manifest.graphs[graph]
    sha256 = manifest.files[spec.file]
    if backend == "auto":
        return _best(directory, spec, sha256)
    try:
        return _named(directory, spec, sha256, backend)
    except EngineError as error:
        raise EngineError(f"backend {backend} cannot run the graph {graph}: {error}; or choose backend auto") from error


def _named(directory: Path, spec: GraphSpec, sha256: str, backend: Backend) -> Engine:
    path = directory / spec.file
    if backend == "cuda":
        return _declared(path, spec, open_on_cuda(path))
    if backend == "tensorrt" and spec.engines:
        return _built(directory, spec, sha256)
    if backend == "tensorrt":
        return _declared(path, spec, open_on_tensorrt(path, sha256, spec.precision))
    return _declared(path, spec, open_on_cpu(path, sha256))


def _best(directory: Path, spec: GraphSpec, sha256: str) -> Engine:
    for backend in _candidates(spec):
        try:
            return _named(directory, spec, sha256, backend)
        except EngineError as error:
            _log.warning("%s does not run on %s: %s", spec.file, backend, error)
    return _named(directory, spec, sha256, "cpu")


def _candidates(spec: GraphSpec) -> list[Backend]:
    """The backends that should work here, the fastest first, but for `cpu`."""
    try:
        find_gpu()
    except EngineError:
        return []
    tensorrt: list[Backend] = ["tensorrt"] if spec.engines else []
    cuda: list[Backend] = ["cuda"] if is_built_in(CUDA) else []
    return tensorrt + cuda


def _built(directory: Path, spec: GraphSpec, sha256: str) -> TensorRtEngine:
    """The first engine of the bundle that fits."""
    refusals = []
    for engine in spec.engines:
        try:
            return open_engine_file(directory / engine.file, engine, spec, sha256)
        except EngineError as error:
            refusals.append(str(error))
    raise EngineError(f"{'; '.join(refusals)}; build its engines with `edgefuse export --target` for this machine")


def _declared(path: Path, spec: GraphSpec, engine: OnnxRuntimeEngine) -> OnnxRuntimeEngine:
    wrong = mismatch("inputs", spec.inputs, engine.inputs) or mismatch("outputs", spec.outputs, engine.outputs)
    if wrong:
        raise BundleError(f"{path}: {wrong}")
    return engine
