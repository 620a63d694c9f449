"""The engine on OpenVINO, on the CPU."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from edgefuse.runtime.bundle.manifest import Dtype, GraphSpec, TensorSpec
from edgefuse.runtime.bundle.wiring import fits
from edgefuse.runtime.engines.engine import mismatch
from edgefuse.runtime.engines.graph_cache import GraphCache, default_directory
from edgefuse.runtime.engines.plan import OpenVinoWay
from edgefuse.runtime.engines.processor import this_cpu
from edgefuse.runtime.errors import BundleError, EngineError
from edgefuse.runtime.extras import how_to_install

_BLOB: Final = "graph.blob"
_LAYOUT: Final = 2  # of what is kept, by how it is compiled
_DTYPES: dict[str, Dtype] = {"u8": "uint8", "i64": "int64", "boolean": "bool", "f16": "float16", "f32": "float32"}


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A compiled graph, and the mapped file that its weights lie in, which has to outlive it; None for its own."""

    compiled: Any
    weights: Any = None


class OpenVinoEngine:
    """One graph in OpenVINO.

    It is compiled for one sample at a time, as percepts need it: for any number it would take up to 1.7 times as long.
    Of a larger batch, the samples are run one after the other. Inputs are read where they lie, unless they are read
    only, and are let go of at the next run.
    """

    def __init__(self, path: Path, spec: GraphSpec, loaded: _Loaded, way: OpenVinoWay) -> None:
        self.backend = "openvino-cpu" if way.arithmetic == "f32" else f"openvino-cpu-{way.arithmetic}"
        self.inputs, self.outputs = spec.inputs, spec.outputs
        self._path = path
        self._tensor = _package().Tensor
        self._request = loaded.compiled.create_infer_request()
        self._places = {tensor.name: _place(loaded.compiled.inputs, tensor.name) for tensor in spec.inputs}
        self._results = [(tensor.name, _place(loaded.compiled.outputs, tensor.name)) for tensor in spec.outputs]
        self._batched = _batched(spec)
        self._loaded = loaded

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        try:
            samples = {len(inputs[name]) for name in self._batched}
            if samples <= {1}:
                return self._run(inputs)
            (count,) = samples
            runs = [self._run(self._sample(inputs, index)) for index in range(count)]
            return {name: np.concatenate([run[name] for run in runs]) for name, _ in self._results}
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise EngineError(f"{self._path}: {self._wrong(inputs) or _telling_line(error)}") from error

    def _run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if len(inputs) != len(self._places):
            raise ValueError("other inputs")
        tensors = {place: self._shared(inputs[name]) for name, place in self._places.items()}
        values = list(self._request.infer(tensors).values())
        return {name: values[place] for name, place in self._results}

    def _shared(self, array: np.ndarray) -> Any:
        return self._tensor(array if array.flags.writeable else array.copy(), shared_memory=True)

    def _sample(self, inputs: Mapping[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
        return {name: array[index : index + 1] if name in self._batched else array for name, array in inputs.items()}

    def _wrong(self, inputs: Mapping[str, np.ndarray]) -> str | None:
        """What the inputs should be, if they are not."""
        if inputs.keys() != self._places.keys():
            return f"takes {', '.join(self._places)}, got {', '.join(inputs) or 'nothing'}"
        for tensor in self.inputs:
            array = inputs[tensor.name]
            if not fits(tensor, str(array.dtype), array.shape):
                wanted, found = f"{tensor.dtype} {list(tensor.shape)}", f"{array.dtype} {list(array.shape)}"
                return f"{tensor.name} should be {wanted}, is {found}"
        counts = {name: len(inputs[name]) for name in self._batched}
        if len(set(counts.values())) > 1 or 0 in counts.values():
            return f"the inputs have different numbers of samples, or none: {counts}"
        return None


def open_on_openvino(path: Path, spec: GraphSpec, sha256: str, way: OpenVinoWay) -> OpenVinoEngine:
    """The graph at `path`, whose checksum is `sha256`, on the CPU.

    Raises EngineError where OpenVINO is not installed or cannot run the graph, BundleError where the graph is not what
    its manifest says.
    """
    _package()
    directory = default_directory()
    try:
        if directory is None:
            return OpenVinoEngine(path, spec, _compiled(path, spec, way), way)
        loaded = GraphCache(directory).open(
            _key(spec, sha256, way),
            path,
            plain=lambda: _compiled(path, spec, way),
            save=lambda entry: _save(entry, _compiled(path, spec, way)),
            load=lambda entry: _imported(entry, way),
        )
        return OpenVinoEngine(path, spec, loaded, way)
    except RuntimeError as error:  # the only class that OpenVINO raises
        raise EngineError(f"{path}: OpenVINO cannot run this graph: {_telling_line(error)}") from error


def fast_in_bf16() -> bool:
    """Whether this processor computes in bfloat16 by itself; raises EngineError where OpenVINO is not installed."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino_version() -> str:
    """Such as "2026.4.1"; raises EngineError where OpenVINO is not installed."""
    version: str = _package().__version__
    return version.split("-", 1)[0]


def _package() -> ModuleType:
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise EngineError(f"OpenVINO is not installed: {how_to_install('openvino')} ({error})") from error


@cache
def _core() -> Any:
    return _package().Core()


def _settings(way: OpenVinoWay) -> dict[str, object]:
    """One thread is the caller's own. None is pinned to a core, for all cores are shared with the rest of the robot."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": way.threads,
        "INFERENCE_PRECISION_HINT": way.arithmetic,
        "ENABLE_CPU_PINNING": False,
        "CPU_DENORMALS_OPTIMIZATION": True,  # sound that fades out would take many times as long
    }


def _compiled(path: Path, spec: GraphSpec, way: OpenVinoWay) -> _Loaded:
    model = _core().read_model(path)
    inputs, outputs = ([_tensor(path, port) for port in ports] for ports in (model.inputs, model.outputs))
    wrong = mismatch("inputs", spec.inputs, tuple(inputs)) or mismatch("outputs", spec.outputs, tuple(outputs))
    if wrong:
        raise BundleError(f"{path}: {wrong}")
    model.reshape(_shapes(spec))
    return _Loaded(_core().compile_model(model, "CPU", _settings(way)))


def _save(entry: Path, loaded: _Loaded) -> None:
    (entry / _BLOB).write_bytes(loaded.compiled.export_model().getvalue())


def _imported(entry: Path, way: OpenVinoWay) -> _Loaded:
    """Weights are mapped: read only where needed, and not counted twice where processes share them."""
    weights = _package().Tensor(np.memmap(entry / _BLOB, np.uint8, "c"), shared_memory=True)
    return _Loaded(_core().import_model(weights, "CPU", _settings(way)), weights)


def _key(spec: GraphSpec, sha256: str, way: OpenVinoWay) -> str:
    tensors = [tensor.model_dump() for tensor in (*spec.inputs, *spec.outputs)]
    parts = ["openvino", _LAYOUT, sha256, _package().__version__, this_cpu(), way.arithmetic, tensors]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _batched(spec: GraphSpec) -> tuple[str, ...]:
    """The inputs that have a row per sample, as every output has; none where the graph is not of that kind."""
    leading = {tensor.shape[0] if tensor.shape else 1 for tensor in spec.outputs}
    batch = leading.pop()
    elsewhere = any(batch in tensor.shape[1:] for tensor in (*spec.inputs, *spec.outputs))
    if leading or isinstance(batch, int) or elsewhere:
        return ()
    return tuple(tensor.name for tensor in spec.inputs if tensor.shape[:1] == (batch,))


def _shapes(spec: GraphSpec) -> dict[str, list[int]]:
    """What to compile for: one sample, and any size where else one varies."""
    batched = _batched(spec)
    shapes = {tensor.name: [size if isinstance(size, int) else -1 for size in tensor.shape] for tensor in spec.inputs}
    return {name: [1, *shape[1:]] if name in batched else shape for name, shape in shapes.items()}


def _tensor(path: Path, port: Any) -> TensorSpec:
    name, kind = port.any_name, port.element_type.get_type_name()
    if kind not in _DTYPES:
        raise BundleError(f"{path}: {name} is a {kind}, which no modality uses")
    sizes = enumerate(port.partial_shape)
    shape = tuple(f"{name}_{axis}" if size.is_dynamic else size.get_length() for axis, size in sizes)
    return TensorSpec(name=name, dtype=_DTYPES[kind], shape=shape)


def _place(ports: Any, name: str) -> int:
    return next(place for place, port in enumerate(ports) if name in port.get_names())


def _telling_line(error: Exception) -> str:
    """OpenVINO tells last what was wrong, after where in its own source it was noticed."""
    lines = [line.strip(" -") for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)
