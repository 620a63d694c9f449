"""Which backend runs a graph of a bundle, and why not another."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import get_args

from edgefuse.runtime.arguments import check_kind, is_one_of, shown
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import GraphSpec
from edgefuse.runtime.engines.engine import Backend, Engine, mismatch
from edgefuse.runtime.engines.engine_file import open_engine_file
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, open_on_cpu
from edgefuse.runtime.engines.engine_onnxruntime_gpu import CUDA, is_built_in, open_on_cuda, open_on_tensorrt
from edgefuse.runtime.engines.engine_onnxruntime_rtx import is_tensorrt_here, open_on_tensorrt_rtx
from edgefuse.runtime.engines.engine_openvino import OpenVinoEngine, fast_in_bf16, open_on_openvino
from edgefuse.runtime.engines.engine_tensorrt import TensorRtEngine
from edgefuse.runtime.engines.gpu import find_gpu
from edgefuse.runtime.engines.onnxruntime_package import installed_packages
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, OpenVinoWay, Way, planned_way
from edgefuse.runtime.engines.selftest import why_unproven
from edgefuse.runtime.errors import BundleError, EngineError

_log = logging.getLogger(__name__)


def open_engine(bundle: Bundle, graph: str, backend: Backend = "auto") -> Engine:
    """The engine of a bundle's graph: a sense's name, or `fusion`.

    - `cpu`: ONNX Runtime on the CPU, on as many threads as are planned.
    - `openvino`: OpenVINO on the CPU, as planned; without a plan, in bfloat16 where the processor has it and the
      bundle's golden vectors come out, else in float32.
    - `cuda`: ONNX Runtime's CUDA provider.
    - `tensorrt`: an engine of the bundle that was built for this GPU; for a graph that has none, ONNX Runtime's
      TensorRT provider, or its provider for TensorRT-RTX where that one's package is installed.
    - `auto`: `tensorrt` where the bundle has an engine or that package is installed, else `cuda` where it works, else
      `openvino` where that is planned, else `cpu`.

    Raises EngineError where a backend asked for by name is not really usable, never falling back to another, and
    BundleError where the graph is not what its manifest says.
    """
    check_kind("bundle", bundle, Bundle)
    if not is_one_of(graph, bundle.manifest.graphs):
        raise EngineError(f"there is no graph {shown(graph)}; there are {', '.join(bundle.manifest.graphs)}")
    if not is_one_of(backend, get_args(Backend)):
        raise EngineError(f"there is no backend {shown(backend)}; there are {', '.join(get_args(Backend))}")
    engine = _best(bundle, graph) if backend == "auto" else _wanted(bundle, graph, backend)
    spec = bundle.manifest.graphs[graph]
    _log.info("the graph %s (%s, %s) runs on %s", graph, spec.file, spec.precision, engine.backend)
    return engine


def _wanted(bundle: Bundle, graph: str, backend: Backend) -> Engine:
    try:
        return _named(bundle, graph, backend)
    except EngineError as error:
        raise EngineError(f"backend {backend} cannot run the graph {graph}: {error}; or choose backend auto") from error


def _named(bundle: Bundle, graph: str, backend: Backend) -> Engine:
    spec = bundle.manifest.graphs[graph]
    path, sha256 = bundle.directory / spec.file, bundle.graph_sha256(graph)
    if backend == "openvino":
        return _on_openvino(bundle, graph)
    if backend == "cuda":
        return _declared(path, spec, open_on_cuda(path))
    if backend == "tensorrt" and spec.engines:
        return _built(bundle.directory, spec, sha256)
    if backend == "tensorrt" and is_tensorrt_here():
        return _declared(path, spec, open_on_tensorrt_rtx(path))
    if backend == "tensorrt":
        return _declared(path, spec, open_on_tensorrt(path, sha256, spec.precision))
    way = planned_way(sha256)
    return _declared(path, spec, open_on_cpu(path, sha256, way if isinstance(way, OnnxRuntimeWay) else None))


def _best(bundle: Bundle, graph: str) -> Engine:
    spec = bundle.manifest.graphs[graph]
    for backend in _candidates(spec, planned_way(bundle.graph_sha256(graph))):
        try:
            return _named(bundle, graph, backend)
        except EngineError as error:
            _log.warning("%s does not run on %s: %s", spec.file, backend, error)
    return _named(bundle, graph, "cpu")


def _candidates(spec: GraphSpec, planned: Way | None) -> list[Backend]:
    """The backends that should work here, the fastest first, but for `cpu`."""
    openvino: list[Backend] = ["openvino"] if isinstance(planned, OpenVinoWay) else []
    try:
        find_gpu()
    except EngineError:
        return openvino
    tensorrt: list[Backend] = ["tensorrt"] if spec.engines or is_tensorrt_here() else []
    cuda: list[Backend] = ["cuda"] if is_built_in(CUDA) or "onnxruntime-gpu" in installed_packages() else []
    return tensorrt + cuda + openvino


def _on_openvino(bundle: Bundle, graph: str) -> OpenVinoEngine:
    spec = bundle.manifest.graphs[graph]
    path, sha256 = bundle.directory / spec.file, bundle.graph_sha256(graph)
    way = planned_way(sha256)
    if isinstance(way, OpenVinoWay):
        return open_on_openvino(path, spec, sha256, way)
    if fast_in_bf16():
        engine = open_on_openvino(path, spec, sha256, OpenVinoWay(arithmetic="bf16"))
        wrong = why_unproven(bundle, graph, engine)
        if wrong is None:
            return engine
        _log.info("%s runs in float32: %s", spec.file, wrong)
    return open_on_openvino(path, spec, sha256, OpenVinoWay(arithmetic="f32"))


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
