"""The engine on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.engines.graph_cache import GraphCache, default_directory
from edgefuse.runtime.engines.plan import Threads, planned_threads
from edgefuse.runtime.errors import BundleError, EngineError
from edgefuse.runtime.manifest import Dtype, TensorSpec

_SPINNING = "session.intra_op.allow_spinning"
_DTYPES: dict[str, Dtype] = {
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
}


class OnnxRuntimeEngine:
    """One graph in an ONNX Runtime session."""

    def __init__(self, path: Path, session: onnxruntime.InferenceSession, backend: str) -> None:
        self.backend = backend
        self._path = path
        self._session = session
        self.inputs = tuple(_tensor(path, node) for node in session.get_inputs())
        self.outputs = tuple(_tensor(path, node) for node in session.get_outputs())
        self._output_names = [tensor.name for tensor in self.outputs]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        try:
            values = self._session.run(self._output_names, inputs)
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise EngineError(f"{self._path}: {first_line(error)}") from error
        return dict(zip(self._output_names, values, strict=True))


def open_on_cpu(path: Path, sha256: str) -> OnnxRuntimeEngine:
    """The graph at `path`, whose checksum is `sha256`, on the CPU, on as many threads as are planned.

    Raises BundleError where it is no graph, EngineError where the plan is damaged.
    """
    directory, threads = default_directory(), planned_threads(sha256)
    try:
        if directory is None:
            session = onnxruntime.InferenceSession(path, session_options(threads), providers=["CPUExecutionProvider"])
        else:
            session = GraphCache(directory).session(path, sha256, lambda: session_options(threads), _said(threads))
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise BundleError(f"{path}: ONNX Runtime cannot load this graph: {first_line(error)}") from error
    return OnnxRuntimeEngine(path, session, "onnxruntime-cpu")


def session_options(threads: Threads | None = None) -> onnxruntime.SessionOptions:
    """As on every backend of ONNX Runtime."""
    threads = threads or Threads()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.intra_op
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry(_SPINNING, str(int(threads.spinning)))
    return options


def _said(threads: Threads) -> dict[str, str]:
    """All that `session_options` sets."""
    return {_SPINNING: str(int(threads.spinning)), "threads": str(threads.intra_op)}


def _tensor(path: Path, node: onnxruntime.NodeArg) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BundleError(f"{path}: {node.name} is a {node.type}, which no modality uses")
    shape = tuple(d if isinstance(d, int) else str(d) for d in node.shape)
    return TensorSpec(name=node.name, dtype=_DTYPES[node.type], shape=shape)
