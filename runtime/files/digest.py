"""What is in a file, as a checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 20  # bytes read at a time: a graph may be larger than a robot's memory


def sha256_of(path: Path) -> str:
    """Its SHA-256, in hexadecimal digits; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
