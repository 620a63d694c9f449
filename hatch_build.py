"""What hatchling calls before it builds: a tree that lacks a room must not become a package."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RoomsAreThere(BuildHookInterface[Any]):
    """Refuses to build where a folder that the wheel is made of is missing or has no code in it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Hatchling by itself leaves out, in silence, what is not there."""
        folders = self.metadata.hatch.build_targets["wheel"]["only-include"]
        missing = [folder for folder in folders if not holds_content(Path(self.root) / folder)]
        if missing:
            raise FileNotFoundError(
                f"edgefuse cannot be built from {self.root}: it has no {', '.join(missing)}; "
                "take the whole repository, and build from its top folder"
            )


def holds_content(folder: Path) -> bool:
    """Whether it is a folder with modules or messages in it."""
    return any(folder.glob("*.py")) or any(folder.glob("*.msg"))
