"""The engine on ONNX Runtime's providers for NVIDIA GPUs: really active, or an error that says why not."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefuse.runtime.bundle.verification import Precision
from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine, session_options
from edgefuse.runtime.engines.gpu import Gpu, find_gpu
from edgefuse.runtime.engines.onnxruntime_package import check_one_package, load_onnxruntime
from edgefuse.runtime.errors import EngineError
from edgefuse.runtime.extras import how_to_install
from edgefuse.runtime.files.cache_folder import cache_folder
from edgefuse.runtime.files.sealed_cache import SealedCache, seal

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"

_CPU = "CPUExecutionProvider"
_LIBRARIES = {CUDA: "libonnxruntime_providers_cuda.so", TENSORRT: "libonnxruntime_providers_tensorrt.so"}
_INSTEAD = "pip uninstall -y onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]', on a Jetson JetPack's own"
_INSTALL = {CUDA: _INSTEAD, TENSORRT: f"{how_to_install('gpu')}, for RTX GPUs; for others {_INSTEAD}"}
_FATAL, _WARNING = 4, 2
_RECORD = "session.record_ep_graph_assignment_info"
_log = logging.getLogger(__name__)

Provider = str | tuple[str, dict[str, Any]]


class _BuildingEngine(OnnxRuntimeEngine):
    """One whose provider builds into `place` when it first sees a shape: sealed after the first run, and at the end."""

    def __init__(self, path: Path, session: onnxruntime.InferenceSession, backend: str, place: Path) -> None:
        super().__init__(path, session, backend)
        weakref.finalize(self, _seal, place)
        self._place: Path | None = place

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        outputs = super().run(inputs)
        if self._place is not None:
            _seal(self._place)
            self._place = None
        return outputs


def open_on_cuda(path: Path) -> OnnxRuntimeEngine:
    """The graph at `path` on the CUDA provider; raises EngineError where that is not really active."""
    check_provider(CUDA)
    return OnnxRuntimeEngine(path, active_session(path, [CUDA]), "onnxruntime-cuda")


def open_on_tensorrt(path: Path, sha256: str, precision: Precision) -> OnnxRuntimeEngine:
    """Likewise on the TensorRT provider, which builds engines when it first sees a shape, and keeps them.

    What TensorRT does not take of the graph, CUDA runs.
    """
    gpu = check_provider(TENSORRT)
    options: dict[str, Any] = {"trt_fp16_enable": precision == "fp16", "trt_int8_enable": precision == "int8"}
    place = engine_cache(sha256, precision, gpu)
    if place is not None:
        options |= {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(place)}
        options |= {"trt_timing_cache_enable": True, "trt_timing_cache_path": str(place)}
    session = active_session(path, [(TENSORRT, options), CUDA])
    if place is None:
        return OnnxRuntimeEngine(path, session, "onnxruntime-tensorrt")
    return _BuildingEngine(path, session, "onnxruntime-tensorrt", place)


def check_provider(provider: str) -> Gpu:
    """The GPU that it would run on; raises EngineError where there is none, or the provider is not built in."""
    gpu = find_gpu()
    check_built_in(provider)
    return gpu


def check_built_in(provider: str) -> None:
    """Raises EngineError where the installed onnxruntime lacks it, or is of two packages that overwrote each other."""
    check_one_package()
    if not is_built_in(provider):
        available = ", ".join(load_onnxruntime().get_available_providers())
        raise EngineError(f"the installed onnxruntime has no {provider}, only {available}: {_INSTALL[provider]}")


def is_built_in(provider: str) -> bool:
    """Whether the installed package has it, which does not mean that it works."""
    return provider in load_onnxruntime().get_available_providers()


def active_session(path: Path, providers: Sequence[Provider]) -> onnxruntime.InferenceSession:
    """A session in which the first of `providers` runs at least a part of the graph.

    ONNX Runtime goes on with the next provider where one fails, when it loads and when it runs; here that raises
    EngineError. Shapes and what has no kernel on the GPU still run on the CPU, as its providers decide.
    """
    first = providers[0] if isinstance(providers[0], str) else providers[0][0]
    _load_libraries()
    options, onnxruntime = session_options(), load_onnxruntime()
    record_assignment(options)
    onnxruntime.set_default_logger_severity(_FATAL)  # of a provider that fails we say why ourselves
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[*providers, _CPU], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        why = _missing_library(first) or first_line(error)
        raise EngineError(f"{path}: ONNX Runtime's {first} cannot load this graph: {why}") from error
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    if first not in session.get_providers():
        why = _missing_library(first) or "it did not start; is the driver new enough for the CUDA it was built for?"
        raise EngineError(f"{path}: ONNX Runtime's {first} is not active: {why}")
    return check_active(path, session, first)


def record_assignment(options: onnxruntime.SessionOptions) -> None:
    """Let the session say which provider runs what, for `check_active`."""
    options.add_session_config_entry(_RECORD, "1")


def check_active(path: Path, session: onnxruntime.InferenceSession, provider: str) -> onnxruntime.InferenceSession:
    """The session; raises EngineError where the provider runs nothing of its graph."""
    if not _operators(path, session, provider):
        raise EngineError(
            f"{path}: ONNX Runtime's {provider} takes no operator of this graph; choose another --backend"
        )
    return session


@cache
def _load_libraries() -> None:
    """CUDA and cuDNN from Python packages, as `pip install onnxruntime-gpu[cuda,cudnn]` brings them."""
    package = load_onnxruntime()
    if hasattr(package, "preload_dlls"):
        with redirect_stdout(StringIO()):  # what is missing then is said by `_missing_library`, if it was needed
            package.preload_dlls()


def _operators(path: Path, session: onnxruntime.InferenceSession, provider: str) -> int:
    """How many of the graph's operators the provider runs; 1 where ONNX Runtime does not tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return 1
    counts: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] += len(part.get_nodes())
    _log.info("%s: %s runs %d of %d operators", path, provider, counts[provider], counts.total())
    return counts[provider]


def _missing_library(provider: str) -> str:
    """The library that the provider lacks; empty if that is not why it failed. To be asked only after it failed.

    Then ONNX Runtime has tried to load the provider, and loading it again fails the same way.
    """
    package = load_onnxruntime()
    library = Path(str(package.__file__)).parent / "capi" / _LIBRARIES[provider]
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return f"{error}; install the CUDA, cuDNN and TensorRT that onnxruntime {package.__version__} was built for"
    return ""


def engine_cache(sha256: str, precision: Precision, gpu: Gpu) -> Path | None:
    """A directory for what the provider builds of this graph with these versions on this GPU alone.

    What lies there is what this user sealed before, or nothing. None for a user who has no home. Raises EngineError
    where nothing can be kept.
    """
    folder = cache_folder()
    if folder is None:
        return None
    package = load_onnxruntime()
    parts = [sha256, precision, package.__version__, package.get_build_info(), _tensorrt_version(), str(gpu)]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    cache = SealedCache(folder / "tensorrt")
    try:
        place = cache.load(key, lambda entry: entry) or cache.save(key, lambda entry: None)
    except OSError as error:
        raise EngineError(f"{cache.directory}: TensorRT's engines cannot be kept here: {error.strerror}") from error
    return place


def _seal(place: Path) -> None:
    try:
        seal(place, place.name)
    except OSError as error:
        _log.warning("what TensorRT built in %s is built again at the next start: %s", place, error.strerror)


def _tensorrt_version() -> str:
    try:
        return metadata.version("tensorrt")
    except metadata.PackageNotFoundError:
        return "of the system"
