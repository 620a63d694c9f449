"""The engine on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from edgefuse.runtime.engine import first_line
from edgefuse.runtime.errors import BundleError, EngineError
from edgefuse.runtime.graph_cache import GraphCache, default_directory
from edgefuse.runtime.manifest import Dtype, TensorSpec

_THREADS = 1
_CONFIG = {"session.intra_op.allow_spinning": "0"}
_DTYPES: dict[str, Dtype] = {
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
}


class OnnxRuntimeEngine:
    """One graph in an ONNX Runtime session, on one thread.

    One thread per session, without spinning: the senses run side by side in threads of their own, and the robot's
    other processes keep their cores.
    """

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
    """The graph at `path`, whose checksum is `sha256`, on the CPU; raises BundleError where it is no graph."""
    directory = default_directory()
    try:
        if directory is None:
            session = onnxruntime.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
        else:
            said = _CONFIG | {"threads": str(_THREADS)}
            session = GraphCache(directory).session(path, sha256, session_options, said)
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise BundleError(f"{path}: ONNX Runtime cannot load this graph: {first_line(error)}") from error
    return OnnxRuntimeEngine(path, session, "onnxruntime-cpu")


def session_options() -> onnxruntime.SessionOptions:
    """As on every backend of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.inter_op_num_threads = _THREADS
    options.log_severity_level = 3
    for key, value in _CONFIG.items():
        options.add_session_config_entry(key, value)
    return options


def _tensor(path: Path, node: onnxruntime.NodeArg) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BundleError(f"{path}: {node.name} is a {node.type}, which no modality uses")
    shape = tuple(d if isinstance(d, int) else str(d) for d in node.shape)
    return TensorSpec(name=node.name, dtype=_DTYPES[node.type], shape=shape)
