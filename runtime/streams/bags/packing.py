"""What was compressed, unpacked within limits: a size that a head states is looked at before memory is taken."""

from __future__ import annotations

from typing import Final

import zstandard
from lz4.frame import LZ4FrameDecompressor

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
COMPRESSIONS: Final = ("", "zstd", "lz4")


def unpacked(content: bytes, compression: str, size: int) -> bytes:
    """What was compressed (`''`: not), which has `size` bytes.

    Raises ValueError, ZstdError or RuntimeError where it is damaged or of another size. The caller has looked at
    `size`; no more memory is taken.
    """
    if compression == "zstd":
        plain = _from_zstd(content, size)
    elif compression == "lz4":
        plain = LZ4FrameDecompressor().decompress(content, max_length=size + 1)
    else:
        plain = content
    if len(plain) != size:
        raise ValueError(f"it should hold {size} bytes, but holds {len(plain)}")
    return plain


def unpacked_size(content: bytes) -> int:
    """How large what zstd packed says it is [bytes]; raises ValueError or ZstdError if it does not say so."""
    size = int(zstandard.frame_content_size(content))
    if size < 0:
        raise ValueError("it does not say how large it is unpacked")
    return size


def _from_zstd(content: bytes, size: int) -> bytes:
    said = zstandard.frame_content_size(content)
    if said not in (-1, size):
        raise ValueError(f"it should hold {size} bytes, but says {said}")
    return zstandard.ZstdDecompressor().decompress(content, max_output_size=size) if size else b""
