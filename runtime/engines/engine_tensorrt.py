"""The engine on TensorRT or TensorRT-RTX: runs an engine file of the bundle that was built ahead of time."""

from __future__ import annotations

import importlib
import logging
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefuse.runtime.bundle.manifest import EngineSpec, TensorSpec
from edgefuse.runtime.engines.engine import first_line, mismatch
from edgefuse.runtime.engines.tensorrt_package import DTYPES, error_log, load_package
from edgefuse.runtime.errors import EngineError

if TYPE_CHECKING:
    from edgefuse.runtime.engines.cuda import Buffer, Stream

Shapes = dict[str, tuple[int, ...]]

_OF_TENSORRT = (RuntimeError, TypeError)  # what its bindings raise
_log = logging.getLogger(__name__)


class TensorRtEngine:
    """One engine, on the first GPU, with a stream of its own.

    It owns, for each input and output, memory on the GPU and pinned memory of the computer, both grown to the largest
    shape seen. `run` copies the caller's inputs into the pinned memory and gives the caller copies of the outputs, so
    that no array of the caller's is ever seen by the GPU. What TensorRT itself works in belongs to its context. All of
    it is freed when the engine is collected.

    From the second run with the same shapes on, copies and kernels are replayed as one CUDA graph. TensorRT-RTX
    captures by itself, since it replaces kernels while it runs.
    """

    def __init__(self, path: Path, spec: EngineSpec) -> None:
        """Raises EngineError where the file cannot be loaded, or takes and gives other tensors than `spec` says."""
        self.backend: str = spec.target
        self.inputs, self.outputs = spec.inputs, spec.outputs
        self._spec = spec
        self._path = path
        try:
            self._execution = _Execution(path, spec)
        except _OF_TENSORRT as error:
            raise EngineError(f"{spec.target} {spec.version} does not load it: {first_line(error)}") from error
        weakref.finalize(self, self._execution.free)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        try:
            check_inputs(self._spec, inputs)
            return self._execution.run(inputs)
        except (EngineError, *_OF_TENSORRT) as error:
            raise EngineError(f"{self._path}: {first_line(error)}") from error


def check_inputs(spec: EngineSpec, inputs: Mapping[str, np.ndarray]) -> None:
    """Raises EngineError for a name, dtype or shape that the engine does not take."""
    expected = {tensor.name: tensor for tensor in spec.inputs}
    if inputs.keys() != expected.keys():
        raise EngineError(f"takes {', '.join(expected)}, got {', '.join(inputs) or 'nothing'}")
    for name, array in inputs.items():
        if str(array.dtype) != expected[name].dtype:
            raise EngineError(f"{name} should be {expected[name].dtype}, is {array.dtype}")
        low, high = _bounds(expected[name], spec)
        sizes = zip(array.shape, low, high, strict=False)
        if array.ndim != len(low) or not all(least <= size <= most for size, least, most in sizes):
            raise EngineError(f"{name} should be from {low} to {high}, is {array.shape}; build it with a wider profile")


def _bounds(tensor: TensorSpec, spec: EngineSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The smallest and the largest shape that an input may have."""
    if tensor.name in spec.profile:
        smallest, _, largest = spec.profile[tensor.name]
        return smallest, largest
    fixed = tuple(size for size in tensor.shape if isinstance(size, int))
    return fixed, fixed


class _Execution:
    """What the engine runs with; apart from it, so that it can be freed when the engine is collected."""

    def __init__(self, path: Path, spec: EngineSpec) -> None:
        package = load_package(spec.target)
        self._log = error_log(package)
        self._runtime = package.Runtime(self._log.sink)
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise EngineError(f"{spec.target} {spec.version} does not load it: {self._complaint()}")
        _check_tensors(package, self._engine, spec)
        self._inputs = [tensor.name for tensor in spec.inputs]
        self._outputs = [tensor.name for tensor in spec.outputs]
        self._dtypes = {tensor.name: np.dtype(tensor.dtype) for tensor in (*spec.inputs, *spec.outputs)}
        self._context, captures_itself = _context(package, self._engine)
        if self._context is None:
            raise EngineError(f"{spec.target} makes no context for it: {self._complaint()}")
        cuda = load_cuda()
        self._buffers: dict[str, Buffer] = {name: cuda.Buffer() for name in self._dtypes}
        self._stream: Stream = cuda.Stream()
        self._pinned: dict[str, np.ndarray] = {}
        self._shapes: Shapes = {}
        self._runs = 0
        self._capturable = not captures_itself

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes != self._shapes:
            self._reshape(shapes)
        for name, array in inputs.items():
            np.copyto(self._pinned[name], array)
        if self._runs == 1 and self._capturable:
            self._capture()
        if self._stream.has_captured:
            self._stream.replay()
        else:
            self._enqueue()
        self._stream.wait()
        self._runs += 1
        return {name: self._pinned[name].copy() for name in self._outputs}

    def free(self) -> None:
        """First what uses the memory, then the memory, the stream last; TensorRT's parts from the inside out."""
        with suppress(EngineError):  # the driver may be gone already when the process ends
            self._stream.wait()
            self._stream.forget()
        self._context = self._engine = self._runtime = None
        self._pinned = {}
        for free in (*(buffer.free for buffer in self._buffers.values()), self._stream.free):
            with suppress(EngineError):
                free()

    def _reshape(self, shapes: Shapes) -> None:
        self._stream.forget()
        self._shapes, self._runs = {}, 0
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise EngineError(f"TensorRT refuses {name} of shape {shape}: {self._complaint()}")
        unknown = self._context.infer_shapes()
        if unknown:
            raise EngineError(f"TensorRT cannot tell the shapes that follow from {', '.join(unknown)}")
        for name in self._dtypes:
            self._pinned[name] = self._place(name, tuple(self._context.get_tensor_shape(name)))
        self._shapes = shapes

    def _place(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Give a tensor memory for this shape; its pinned part."""
        if min(shape, default=1) < 0:
            raise EngineError(f"the shape of {name} depends on the data, which is not supported")
        buffer, dtype = self._buffers[name], self._dtypes[name]
        self._pinned.pop(name, None)
        buffer.reserve(max(1, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize))
        if not self._context.set_tensor_address(name, buffer.device):
            raise EngineError(f"TensorRT refuses memory for {name}: {self._complaint()}")
        return buffer.host(shape, dtype)

    def _enqueue(self) -> None:
        for name in self._inputs:
            self._stream.upload(self._buffers[name], self._pinned[name])
        if not self._context.execute_async_v3(self._stream.handle):
            raise EngineError(f"TensorRT did not run: {self._complaint()}")
        for name in self._outputs:
            self._stream.download(self._buffers[name], self._pinned[name])

    def _capture(self) -> None:
        """After a first run with these shapes, as TensorRT asks: it prepares some work in the first."""
        try:
            self._stream.capture(self._enqueue)
        except (EngineError, *_OF_TENSORRT) as error:
            self._capturable = False
            _log.info("goes on without a CUDA graph: %s", error)

    def _complaint(self) -> str:
        return self._log.errors[-1].splitlines()[0] if self._log.errors else "it does not say why"


def _check_tensors(package: Any, engine: Any, spec: EngineSpec) -> None:
    inputs = _tensors(package, engine, package.TensorIOMode.INPUT)
    outputs = _tensors(package, engine, package.TensorIOMode.OUTPUT)
    wrong = mismatch("inputs", spec.inputs, inputs) or mismatch("outputs", spec.outputs, outputs)
    if wrong:
        raise EngineError(wrong)


def _tensors(package: Any, engine: Any, mode: Any) -> tuple[TensorSpec, ...]:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return tuple(_tensor(package, engine, name) for name in names if engine.get_tensor_mode(name) == mode)


def _tensor(package: Any, engine: Any, name: str) -> TensorSpec:
    kind = engine.get_tensor_dtype(name).name
    if kind not in DTYPES or engine.get_tensor_location(name) != package.TensorLocation.DEVICE:
        raise EngineError(f"{name} is a {kind} at {engine.get_tensor_location(name).name}, which no modality uses")
    shape = tuple(size if size >= 0 else f"{name}_{axis}" for axis, size in enumerate(engine.get_tensor_shape(name)))
    return TensorSpec(name=name, dtype=DTYPES[kind], shape=shape)


def _context(package: Any, engine: Any) -> tuple[Any, bool]:
    """An execution context, and whether it captures CUDA graphs by itself."""
    if not hasattr(package, "CudaGraphStrategy"):
        return engine.create_execution_context(), False
    config = engine.create_runtime_config()
    config.cuda_graph_strategy = package.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    return engine.create_execution_context(runtime_config=config), True


def load_cuda() -> ModuleType:
    """The module cuda.py; raises EngineError where cuda-python, which it needs, is not installed."""
    try:
        return importlib.import_module("edgefuse.runtime.engines.cuda")
    except ImportError as error:
        raise EngineError(f"TensorRT's engines need cuda-python: pip install cuda-python ({error})") from error
