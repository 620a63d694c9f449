"""The engine on ONNX Runtime's provider for TensorRT-RTX, a package of its own that lies beside `onnxruntime`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, session_options
from edgefuse.runtime.engines.engine_onnxruntime_gpu import TENSORRT, check_active, is_built_in, record_assignment
from edgefuse.runtime.engines.gpu import Gpu, find_gpu
from edgefuse.runtime.engines.onnxruntime_package import check_one_package, load_onnxruntime
from edgefuse.runtime.errors import EngineError

if TYPE_CHECKING:
    import onnxruntime

PACKAGE = "onnxruntime-ep-nv-tensorrt-rtx"

_MODULE = PACKAGE.replace("-", "_")


def is_tensorrt_here() -> bool:
    """Whether the backend `tensorrt` means this provider: its package is there, and ONNX Runtime has none built in."""
    return find_spec(_MODULE) is not None and not is_built_in(TENSORRT)


def open_on_tensorrt_rtx(path: Path) -> OnnxRuntimeEngine:
    """The graph at `path` on the first GPU that the provider takes; raises EngineError where that is not really active.

    The provider compiles for this GPU when it loads the graph. What it does not take of the graph, the CPU runs.
    """
    check_rtx_provider()
    return OnnxRuntimeEngine(path, session_on(path, _devices()[:1]), "onnxruntime-tensorrt-rtx")


def check_rtx_provider() -> Gpu:
    """The machine's GPU; raises EngineError where there is none, or none that the provider takes."""
    gpu = find_gpu()
    check_one_package()
    if not _devices():
        raise EngineError(f"{PACKAGE} does not take {gpu}: it is for RTX GPUs, from compute capability 8.0 on")
    return gpu


def session_on(path: Path, devices: Sequence[onnxruntime.OrtEpDevice]) -> onnxruntime.InferenceSession:
    """A session in which the provider of `devices` runs at least a part of the graph; else raises EngineError."""
    provider = devices[0].ep_name
    options = session_options()
    record_assignment(options)
    try:
        options.add_provider_for_devices(devices, {})
        session = load_onnxruntime().InferenceSession(path, options, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise EngineError(f"{path}: ONNX Runtime's {provider} cannot load this graph: {first_line(error)}") from error
    return check_active(path, session, provider)


@cache
def _devices() -> tuple[onnxruntime.OrtEpDevice, ...]:
    """The GPUs that the provider takes, registered with ONNX Runtime once, for which it needs the NVIDIA driver."""
    onnxruntime, plugin = load_onnxruntime(), importlib.import_module(_MODULE)
    name: str = plugin.get_ep_name()
    try:
        onnxruntime.register_execution_provider_library(name, plugin.get_library_path())
    except Exception as error:  # likewise
        why = f"does not load into onnxruntime {onnxruntime.__version__}: {first_line(error)}"
        raise EngineError(f"{PACKAGE} {why}") from error
    return tuple(device for device in onnxruntime.get_ep_devices() if device.ep_name == name)
