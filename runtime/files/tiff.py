"""TIFF, as far as to know the size of its first picture."""

from __future__ import annotations

from typing import Final, Literal

_WIDTH, _HEIGHT = 256, 257
_BYTES: Final = {3: 2, 4: 4}  # of a SHORT and a LONG, the two types that a size may have
_ENTRY_BYTES = 12


def tiff_size(content: memoryview) -> tuple[int, int] | None:
    """Width and height by the first directory (TIFF 6.0, section 2); None where they are not there."""
    order: Literal["little", "big"] = "little" if bytes(content[:2]) == b"II" else "big"
    directory = int.from_bytes(content[4:8], order)
    entries = int.from_bytes(content[directory : directory + 2], order)
    found: dict[int, int] = {}
    for at in range(directory + 2, min(directory + 2 + entries * _ENTRY_BYTES, len(content)), _ENTRY_BYTES):
        tag, kind = (int.from_bytes(content[at + 2 * n : at + 2 * n + 2], order) for n in (0, 1))
        if tag in (_WIDTH, _HEIGHT) and kind in _BYTES:
            found[tag] = int.from_bytes(content[at + 8 : at + 8 + _BYTES[kind]], order)
    return (found[_WIDTH], found[_HEIGHT]) if len(found) == 2 else None
