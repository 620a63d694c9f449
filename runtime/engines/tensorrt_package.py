"""The package that runs TensorRT engines, classic `tensorrt` or `tensorrt_rtx`, which share their names."""

from __future__ import annotations

import importlib
from collections import deque
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Literal

from edgefuse.runtime.bundle.manifest import Dtype
from edgefuse.runtime.errors import EngineError

EngineTarget = Literal["tensorrt", "tensorrt-rtx"]

MODULES: Final[dict[EngineTarget, str]] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}

DTYPES: Final[dict[str, Dtype]] = {
    "UINT8": "uint8",
    "INT64": "int64",
    "BOOL": "bool",
    "HALF": "float16",
    "FLOAT": "float32",
}
"""The manifest's names of TensorRT's types, those that a modality uses."""

_KEPT = 8


@dataclass(frozen=True, slots=True)
class ErrorLog:
    """sink: what a package writes to, kept alive as long as anything made with it; errors: its latest complaints."""

    sink: Any
    errors: deque[str]


def load_package(target: EngineTarget) -> ModuleType:
    """Import it; raises EngineError that says what to install, or what keeps it from loading."""
    name = MODULES[target]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise EngineError(f"{name} is installed but does not load: {error}") from error
        raise EngineError(f"the package {name} is not installed: pip install {target}") from error
    except (ImportError, OSError) as error:
        raise EngineError(f"{name} is installed but does not load: {error}") from error


def error_log(package: Any) -> ErrorLog:
    """A log for the package's runtimes."""
    errors: deque[str] = deque(maxlen=_KEPT)
    grave = (package.ILogger.ERROR, package.ILogger.INTERNAL_ERROR)

    class Sink(package.ILogger):  # the package is known only at run time
        def __init__(self) -> None:
            package.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in grave:
                errors.append(message)

    return ErrorLog(Sink(), errors)
