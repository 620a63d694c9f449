"""The engine on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from edgefuse.runtime.errors import BundleError, EngineError
from edgefuse.runtime.manifest import Dtype, TensorSpec

_DTYPES: dict[str, Dtype] = {
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
}


class OnnxRuntimeEngine:
    """One graph in an ONNX Runtime session on the CPU, on one thread.

    One thread per session, without spinning: the senses run side by side in threads of their own, and the robot's
    other processes keep their cores.
    """

    backend = "onnxruntime-cpu"

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._path = path
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise BundleError(f"{path}: ONNX Runtime cannot load this graph: {_first_line(error)}") from error
        self.inputs = tuple(_tensor(path, node) for node in self._session.get_inputs())
        self.outputs = tuple(_tensor(path, node) for node in self._session.get_outputs())
        self._output_names = [tensor.name for tensor in self.outputs]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        try:
            values = self._session.run(self._output_names, inputs)
        except Exception as error:
            raise EngineError(f"{self._path}: {_first_line(error)}") from error
        return dict(zip(self._output_names, values, strict=True))


def _tensor(path: Path, node: onnxruntime.NodeArg) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BundleError(f"{path}: {node.name} is a {node.type}, which no modality uses")
    shape = tuple(d if isinstance(d, int) else str(d) for d in node.shape)
    return TensorSpec(name=node.name, dtype=_DTYPES[node.type], shape=shape)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
