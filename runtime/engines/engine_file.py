"""Whether an engine file of the bundle is of its graph and for this machine."""

from __future__ import annotations

from pathlib import Path

from edgefuse.runtime.bundle.manifest import EngineSpec, GraphSpec, TensorSpec
from edgefuse.runtime.engines.engine_tensorrt import TensorRtEngine, load_cuda
from edgefuse.runtime.engines.gpu import Gpu, find_gpu
from edgefuse.runtime.engines.tensorrt_package import EngineTarget, load_package
from edgefuse.runtime.errors import EngineError

_OLDEST_OF_ANY = (8, 0)


def open_engine_file(path: Path, spec: EngineSpec, graph: GraphSpec, graph_sha256: str) -> TensorRtEngine:
    """The engine, if it is of this graph and for this machine; else EngineError says why it is not."""
    try:
        check_origin(spec, graph, graph_sha256)
        check_gpu(spec, find_gpu())
        check_version(spec)
        return TensorRtEngine(path, spec)
    except EngineError as error:
        raise EngineError(f"{path}: {error}") from error


def check_installed(target: EngineTarget) -> Gpu:
    """The GPU that engines of this target would run on; raises EngineError with what is missing for that."""
    gpu = find_gpu()
    load_package(target)
    load_cuda()
    return gpu


def check_origin(spec: EngineSpec, graph: GraphSpec, graph_sha256: str) -> None:
    """Raises EngineError for an engine that was built from another graph."""
    if spec.graph_sha256 != graph_sha256:
        raise EngineError(f"built from another {graph.file} ({spec.graph_sha256[:12]}, here {graph_sha256[:12]})")
    for said, built in ((graph.inputs, spec.inputs), (graph.outputs, spec.outputs)):
        if _kinds(said) != _kinds(built):
            raise EngineError(f"has {', '.join(_kinds(built))} where {graph.file} has {', '.join(_kinds(said))}")


def check_gpu(spec: EngineSpec, gpu: Gpu) -> None:
    """Raises EngineError for an engine that was built for another kind of GPU."""
    own = tuple(int(part) for part in gpu.compute_capability.split("."))
    if spec.compute_capability is None and own < _OLDEST_OF_ANY:
        raise EngineError(f"built for compute capability 8.0 and later, {gpu.name} has {gpu.compute_capability}")
    if spec.compute_capability not in (None, gpu.compute_capability):
        raise EngineError(
            f"built for compute capability {spec.compute_capability}, {gpu.name} has {gpu.compute_capability}"
        )


def check_version(spec: EngineSpec) -> None:
    """Raises EngineError where the package that built the engine is not installed in the same version."""
    installed = str(load_package(spec.target).__version__)
    if spec.version != installed:
        raise EngineError(f"built by {spec.target} {spec.version}, installed is {installed}")


def _kinds(tensors: tuple[TensorSpec, ...]) -> list[str]:
    return sorted(f"{tensor.name} {tensor.dtype}" for tensor in tensors)
