"""The package that builds engines: `tensorrt_rtx` anywhere, or classic `tensorrt` on the machine that will run them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from edgefuse.export.errors import ExportError
from edgefuse.runtime.engines import tensorrt_package
from edgefuse.runtime.engines.gpu import find_gpu
from edgefuse.runtime.engines.tensorrt_package import MODULES, EngineTarget
from edgefuse.runtime.errors import EngineError
from edgefuse.runtime.extras import how_to_install

EXTRAS: dict[EngineTarget, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "rtx"}


@dataclass(frozen=True, slots=True)
class Package:
    """One of the two packages; what they share has the same names in both."""

    target: EngineTarget
    module: ModuleType

    @property
    def version(self) -> str:
        return str(self.module.__version__)

    @property
    def has_timing_cache(self) -> bool:
        """TensorRT-RTX measures nothing when it builds: there a timing cache is a deprecated no-op."""
        return self.target == "tensorrt"

    def capability(self, asked: str | None) -> str | None:
        """The compute capability to build for, such as "8.9"; None: any from 8.0 on.

        Raises ExportError for one that the package does not know, or, with classic TensorRT, that is not this
        machine's: it builds only for the GPU that it measures on.
        """
        if self.target == "tensorrt-rtx":
            return None if asked is None else self._known(asked)
        own = _capability_of_this_machine()
        if asked not in (None, own):
            raise ExportError(
                f"TensorRT builds for this machine's GPU, of compute capability {own}, not for {asked}; "
                "export on the target machine, or use --target tensorrt-rtx"
            )
        return own

    def constant(self, capability: str) -> Any:
        """The package's own name of a compute capability; AttributeError if it has none."""
        return getattr(self.module.ComputeCapability, "SM" + capability.replace(".", ""))

    def _known(self, asked: str) -> str:
        names = [name[2:] for name in self.module.ComputeCapability.__members__ if name.startswith("SM")]
        known = [f"{name[:-1]}.{name[-1]}" for name in names]
        if asked not in known:
            raise ExportError(
                f"compute capability {asked!r} is not one that tensorrt_rtx {self.version} builds for; "
                f"it knows {', '.join(known)}, or none for all from 8.0 on"
            )
        return asked


def load_package(target: EngineTarget) -> Package:
    """Import the package of `target`; raises ExportError with what to install where it is not there."""
    name = MODULES[target]
    if find_spec(name) is None:
        raise ExportError(f"--target {target} needs {name}, which is not installed: {how_to_install(EXTRAS[target])}")
    try:
        return Package(target, tensorrt_package.load_package(target))
    except EngineError as error:
        raise ExportError(str(error)) from error


def _capability_of_this_machine() -> str:
    try:
        return find_gpu().compute_capability
    except EngineError as error:
        raise ExportError(
            f"--target tensorrt builds on the machine that will run the engines, and here {error}; "
            "export there, or use --target tensorrt-rtx, which builds without a GPU"
        ) from error
