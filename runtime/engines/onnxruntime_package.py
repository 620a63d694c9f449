"""The package of ONNX Runtime: `onnxruntime` for CPUs or, in its place, `onnxruntime-gpu`, of the same file names."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

from edgefuse.runtime.errors import EngineError
from edgefuse.runtime.extras import installed_version

PACKAGES = ("onnxruntime", "onnxruntime-gpu")

_ANEW = f"pip uninstall -y {' '.join(PACKAGES)}, then pip install the one that is wanted"


def installed_packages() -> dict[str, str]:
    """The versions of those of PACKAGES that are installed."""
    return {name: version for name in PACKAGES if (version := installed_version(name)) is not None}


@cache
def load_onnxruntime() -> ModuleType:
    """Import it; raises EngineError where it is missing, or incomplete, as when one of two packages was uninstalled."""
    try:
        package = importlib.import_module("onnxruntime")
    except ImportError as error:
        if not installed_packages():
            raise EngineError("ONNX Runtime is not installed: pip install onnxruntime") from error
        raise EngineError(f"ONNX Runtime is installed but does not load: {error}; {_ANEW}") from error
    if not hasattr(package, "InferenceSession"):
        raise EngineError(f"ONNX Runtime is incomplete, something has removed or replaced a part of it: {_ANEW}")
    return package


def check_one_package() -> None:
    """Raises EngineError where both are installed: what the later one overwrote is of two builds, or has no GPU."""
    installed = installed_packages()
    if len(installed) > 1:
        versions = " and ".join(f"{name} {version}" for name, version in installed.items())
        raise EngineError(f"{versions} are both installed and overwrite each other: {_ANEW}")
