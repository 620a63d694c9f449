"""The engine on ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from edgefuse.runtime.bundle.manifest import Dtype, TensorSpec
from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.engines.graph_cache import GraphCache, default_directory
from edgefuse.runtime.engines.memory import SHARED, in_words, limit_memory
from edgefuse.runtime.engines.onnxruntime_package import load_onnxruntime
from edgefuse.runtime.engines.plan import OnnxRuntimeWay
from edgefuse.runtime.engines.processor import this_cpu
from edgefuse.runtime.errors import BundleError, EngineError

if TYPE_CHECKING:
    import onnxruntime

Options: TypeAlias = "Callable[[], onnxruntime.SessionOptions]"
"""Makes a session's options anew: each attempt to create one changes its own."""

_GRAPH, _WEIGHTS = "graph.onnx", "weights.bin"
_LAYOUT = 1
_SAVING = {
    "session.optimized_model_external_initializers_file_name": _WEIGHTS,
    "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
    "session.save_external_prepacked_constant_initializers": "1",
}
_SPINNING = "session.intra_op.allow_spinning"
_DENORMAL_AS_ZERO = "session.set_denormal_as_zero"  # sound that fades out would take up to 40 times as long
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
            raise EngineError(f"{self._path}: {in_words(first_line(error))}") from error
        return dict(zip(self._output_names, values, strict=True))


def open_on_cpu(path: Path, sha256: str, way: OnnxRuntimeWay | None = None) -> OnnxRuntimeEngine:
    """The graph at `path`, whose checksum is `sha256`, on the CPU; raises BundleError where it is no graph.

    Raises EngineError where ONNX Runtime itself is missing or damaged.
    """
    load_onnxruntime()  # before the graph, which is not to blame where that fails
    directory, way = default_directory(), way or OnnxRuntimeWay()
    try:
        if directory is None:
            session = _session(path, session_options(way))
        else:
            session = cached_session(GraphCache(directory), path, sha256, lambda: session_options(way), _said(way))
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise BundleError(f"{path}: ONNX Runtime cannot load this graph: {in_words(first_line(error))}") from error
    return OnnxRuntimeEngine(path, session, "onnxruntime-cpu")


def session_options(way: OnnxRuntimeWay | None = None) -> onnxruntime.SessionOptions:
    """As on every backend of ONNX Runtime."""
    way = way or OnnxRuntimeWay()
    options: onnxruntime.SessionOptions = load_onnxruntime().SessionOptions()
    limit_memory()
    options.intra_op_num_threads = way.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised anyway
    options.add_session_config_entry(*SHARED)
    options.add_session_config_entry(_SPINNING, str(int(way.spinning)))
    options.add_session_config_entry(_DENORMAL_AS_ZERO, "1")
    return options


def cached_session(
    cache: GraphCache, path: Path, sha256: str, options: Options, said: Mapping[str, str]
) -> onnxruntime.InferenceSession:
    """A session on the CPU for the graph at `path`, whose checksum is known, optimised once.

    `said` names everything that `options` sets. Raises what ONNX Runtime raises where the graph itself is bad.
    """
    return cache.open(
        _key(sha256, said),
        path,
        plain=lambda: _session(path, options()),
        save=lambda entry: _save(path, entry, options()),
        load=lambda entry: _optimised(entry, options()),
    )


def _session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    session: onnxruntime.InferenceSession = load_onnxruntime().InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    return session


def _save(path: Path, entry: Path, options: onnxruntime.SessionOptions) -> None:
    """Let ONNX Runtime optimise the graph into an entry, its weights in a file that is mapped, not read, later."""
    options.optimized_model_filepath = str(entry / _GRAPH)
    for key, value in _SAVING.items():
        options.add_session_config_entry(key, value)
    _session(path, options)


def _optimised(entry: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    options.graph_optimization_level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    return _session(entry / _GRAPH, options)


def _key(sha256: str, said: Mapping[str, str]) -> str:
    package = load_onnxruntime()
    parts = [_LAYOUT, sha256, package.__version__, package.get_build_info(), this_cpu(), sorted(said.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _said(way: OnnxRuntimeWay) -> dict[str, str]:
    """All that `session_options` sets."""
    return {_DENORMAL_AS_ZERO: "1", _SPINNING: str(int(way.spinning)), "threads": str(way.threads)}


def _tensor(path: Path, node: onnxruntime.NodeArg) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BundleError(f"{path}: {node.name} is a {node.type}, which no modality uses")
    shape = tuple(d if isinstance(d, int) else str(d) for d in node.shape)
    return TensorSpec(name=node.name, dtype=_DTYPES[node.type], shape=shape)
