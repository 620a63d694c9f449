"""Files that are whole or not there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

UNFINISHED: Final = ".new-"
"""How the names of files begin that are not whole yet; only a process that was killed leaves one behind."""


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A name beside `path`, of the same ending, for the block to write a file under.

    The file takes the name `path` when the block ends well, so that nobody reads half of it; otherwise nothing is left.
    """
    beside = path.with_name(f"{UNFINISHED}{os.getpid()}-{threading.get_native_id()}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """The file with just this content; raises OSError, and then leaves what was there."""
    with write_beside(path) as beside:
        beside.write_bytes(content)
