"""PNG, as far as it can be understood without decoding it: where a picture ends, and which size it says it has."""

from __future__ import annotations

from typing import Final

BEGIN: Final = b"\x89PNG\r\n\x1a\n"
_AROUND_BYTES = 12
"""Of a chunk, beside its data: its length and kind before them, a checksum after them."""


def png_size(content: memoryview) -> tuple[int, int] | None:
    """Width and height by the first chunk (PNG, section 11.2.1); None where that is another one, or cut off."""
    if bytes(content[12:16]) != b"IHDR" or len(content) < 24:
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def end_of_png(content: memoryview) -> int | None:
    """Where it ends; None if it is not all there, as when a chunk says that it is longer than all that is there."""
    at = len(BEGIN)
    while at + _AROUND_BYTES <= len(content):
        kind = bytes(content[at + 4 : at + 8])
        at += int.from_bytes(content[at : at + 4], "big") + _AROUND_BYTES
        if kind == b"IEND":
            return at if at <= len(content) else None
    return None
