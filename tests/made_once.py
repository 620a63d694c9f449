"""What takes long to make is made by one process of the tests and read by all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


class MadeOnce:
    """made_once(name, make): the path of a file or folder that `make` makes at the path that it is given."""

    def __init__(self, folder: Path) -> None:
        """In a folder that all processes of one run of the tests have in common."""
        self._folder = folder
        for beside in ("made", "making"):
            (folder / beside).mkdir(exist_ok=True)

    def __call__(self, name: str, make: Callable[[Path], object]) -> Path:
        """Whoever comes first makes it, the others wait."""
        path, making = (self._folder / beside / name for beside in ("made", "making"))
        with FileLock(self._folder / f"{name}.lock"):
            if not path.exists():
                make(making)
                making.rename(path)
        return path
