"""JPEG files that ask in their EXIF data to be turned, as a phone or a photo camera writes them."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

HALF_TURN, QUARTER_TURN = 3, 6
"""Orientations that TIFF 6.0 numbers: to be turned by 180 degrees, by 90 to the right."""

_ORIENTATION, _SHORT = 0x0112, 3


def jpeg(picture: np.ndarray, orientation: int | None = None) -> bytes:
    """uint8 (height, width[, 3]) BGR; the pixels lie there as they are given, whatever the orientation says of them."""
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 97])[1].tobytes()
    if orientation is None:
        return encoded
    entry = struct.pack("<HHIHH", _ORIENTATION, _SHORT, 1, orientation, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    return encoded[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + encoded[2:]


def write_jpeg(path: Path, picture: np.ndarray, orientation: int | None = None) -> None:
    """See `jpeg`."""
    path.write_bytes(jpeg(picture, orientation))
