"""ONNX Runtime's engine without the cache: what is only tried here leaves nothing in it."""

from __future__ import annotations

from pathlib import Path

from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, session_options
from edgefuse.runtime.engines.onnxruntime_package import load_onnxruntime
from edgefuse.runtime.engines.plan import OnnxRuntimeWay


def open_uncached(path: Path, way: OnnxRuntimeWay, backend: str = "onnxruntime-cpu") -> OnnxRuntimeEngine:
    """The graph at `path` on the CPU, optimised anew; raises what ONNX Runtime raises where it is none."""
    session = load_onnxruntime().InferenceSession(path, session_options(way), providers=["CPUExecutionProvider"])
    return OnnxRuntimeEngine(path, session, backend)
