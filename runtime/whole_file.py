"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write beside and rename, so that nobody reads half a file; an OSError leaves nothing behind."""
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
