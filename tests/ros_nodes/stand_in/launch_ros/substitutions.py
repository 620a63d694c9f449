"""Where packages are."""

from __future__ import annotations

import os
from pathlib import Path

from launch.context import LaunchContext
from launch.substitutions import Substitution


class FindPackageShare(Substitution):
    """A package's share directory."""

    def __init__(self, package: str) -> None:
        self._package = package

    def perform(self, context: LaunchContext) -> str:
        """See Substitution."""
        return str(prefix_of(self._package) / "share" / self._package)


def prefix_of(package: str) -> Path:
    """The first prefix whose ament index names a package; raises LookupError."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and (Path(prefix) / "share/ament_index/resource_index/packages" / package).exists():
            return Path(prefix)
    raise LookupError(f"package '{package}' not found, searching: AMENT_PREFIX_PATH")
