"""Memory and a stream of the GPU, through cuda.bindings, which importing this module needs.

Everything here is of the first GPU and freed by `free`, never by itself. Errors of CUDA are EngineErrors.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime as cudart

from edgefuse.runtime.errors import EngineError


class Buffer:
    """One tensor's memory, twice: on the GPU at `device`, and as much pinned memory of the computer for its copies."""

    def __init__(self) -> None:
        self.device = 0
        self._host = 0
        self._bytes = 0

    def reserve(self, size: int) -> None:
        """Have room for so many bytes. What grows moves and forgets; nothing may be using it."""
        if size <= self._bytes:
            return
        self.free()
        self.device = _call(cudart.cudaMalloc, size)
        self._host = _call(cudart.cudaHostAlloc, size, cudart.cudaHostAllocDefault)
        self._bytes = size

    def host(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """The pinned memory as an array: a view that is good until the next `reserve` or `free`."""
        content = (ctypes.c_uint8 * self._bytes).from_address(self._host)
        view: np.ndarray = np.ndarray(shape, dtype, memoryview(content))
        return view

    def free(self) -> None:
        """Let go of both."""
        device, host = self.device, self._host
        self.device = self._host = self._bytes = 0
        if device:
            _call(cudart.cudaFree, device)
        if host:
            _call(cudart.cudaFreeHost, host)


class Stream:
    """Work in the order in which it was given, apart from the default stream, and apart from other threads' work."""

    def __init__(self) -> None:
        self._stream = _call(cudart.cudaStreamCreateWithFlags, cudart.cudaStreamNonBlocking)
        self._captured: Any = None

    @property
    def handle(self) -> int:
        """As TensorRT takes it."""
        return int(self._stream)

    @property
    def has_captured(self) -> bool:
        """Whether there is something to `replay`."""
        return self._captured is not None

    def upload(self, buffer: Buffer, array: np.ndarray) -> None:
        """Pinned memory (`array` is the buffer's view of it) to the GPU."""
        self._copy(buffer.device, array.ctypes.data, array.nbytes, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice)

    def download(self, buffer: Buffer, array: np.ndarray) -> None:
        """The GPU to pinned memory; there once `wait` returns."""
        self._copy(array.ctypes.data, buffer.device, array.nbytes, cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost)

    def wait(self) -> None:
        """Until all that was given is done."""
        _call(cudart.cudaStreamSynchronize, self._stream)

    def capture(self, work: Callable[[], None]) -> None:
        """Record what `work` gives to this stream, without doing it, for `replay`.

        Other threads may use CUDA meanwhile. Raises EngineError if it cannot be recorded; then the stream works on.
        """
        self.forget()
        _call(
            cudart.cudaStreamBeginCapture, self._stream, cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        )
        try:
            work()
        except Exception:
            _, graph = cudart.cudaStreamEndCapture(self._stream)
            if graph is not None and int(graph):
                _call(cudart.cudaGraphDestroy, graph)
            raise
        graph = _call(cudart.cudaStreamEndCapture, self._stream)
        try:
            self._captured = _call(cudart.cudaGraphInstantiate, graph, 0)
        finally:
            _call(cudart.cudaGraphDestroy, graph)

    def replay(self) -> None:
        """Do what was captured, with the same memory."""
        _call(cudart.cudaGraphLaunch, self._captured, self._stream)

    def forget(self) -> None:
        """What was captured; nothing of it may be running."""
        captured, self._captured = self._captured, None
        if captured is not None:
            _call(cudart.cudaGraphExecDestroy, captured)

    def free(self) -> None:
        """Let go of the stream; nothing of it may be running."""
        self.forget()
        _call(cudart.cudaStreamDestroy, self._stream)

    def _copy(self, to: int, of: int, size: int, kind: Any) -> None:
        _call(cudart.cudaMemcpyAsync, to, of, size, kind, self._stream)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of the CUDA runtime gives besides its error."""
    error, *values = function(*arguments)
    if error != cudart.cudaError_t.cudaSuccess:
        text = cudart.cudaGetErrorString(error)[1].decode()
        raise EngineError(f"{function.__name__} says: {text} ({error.name})")
    return values[0] if values else None
