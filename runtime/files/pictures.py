"""Pictures that come as a file or in a message: their size is looked at before memory is taken for them."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.files.jpeg import BEGIN, NoJpegError, end_of_jpeg, jpeg_size
from edgefuse.runtime.files.limits import FRAME_PIXELS
from edgefuse.runtime.files.png import BEGIN as PNG
from edgefuse.runtime.files.png import end_of_png, png_size
from edgefuse.runtime.files.tiff import tiff_size

_TIFF: Final = (b"II*\0", b"MM\0*")
_FORMATS: Final = "JPEG, PNG, WebP, BMP, TIFF, PGM or PPM"
_SEEN = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def decode_picture(content: bytes | memoryview | np.ndarray) -> np.ndarray:
    """The picture, BGR uint8 (height, width, 3), as its sensor had it: EXIF's orientation turns nothing.

    Grey becomes three equal channels, 16 bits become 8. `content` is one file, uint8. Raises SampleError, which goes on
    from "it", for a format that is not known, for more than limits.FRAME_PIXELS, and for what is damaged or cut off.
    """
    data = np.frombuffer(content, np.uint8)
    _check(data.data)
    try:
        image: np.ndarray | None = cv2.imdecode(data, _SEEN)
    except cv2.error as error:
        raise SampleError(f"is a picture that OpenCV cannot decode: {error.err or 'no reason given'}") from error
    if image is None:
        raise SampleError(f"holds {len(data)} bytes that cannot be decoded: damaged or cut off")
    return image


def picture_size(content: memoryview) -> tuple[int, int] | None:
    """Width and height that a picture's header says; None where it does not. Raises SampleError as decode_picture."""
    head = bytes(content[:32])
    if head.startswith(BEGIN):
        try:
            return jpeg_size(content)
        except NoJpegError as error:
            raise SampleError(f"is a damaged JPEG: {error}") from error
    if head.startswith(PNG):
        return png_size(content)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    if head.startswith(b"BM"):
        return _bmp_size(head)
    if head.startswith(_TIFF):
        return tiff_size(content)
    if head[:2] in (b"P2", b"P3", b"P5", b"P6"):
        return _pnm_size(bytes(content[:512]))
    raise SampleError(f"holds {len(content)} bytes that are no picture of a known format: expected {_FORMATS}")


def _check(content: memoryview) -> None:
    size = picture_size(content)
    if size is None or 0 in size:
        raise SampleError(f"holds {len(content)} bytes of a picture whose header is damaged or cut off")
    if (refusal := FRAME_PIXELS.refusal(size[0] * size[1])) is not None:
        raise SampleError(f"says that it is {size[0]} x {size[1]}: {refusal}")
    if bytes(content[:3]) == BEGIN:
        _check_end(content)
    elif bytes(content[:8]) == PNG and end_of_png(content) is None:  # OpenCV takes the memory that a chunk asks for
        raise SampleError(f"is cut off: {len(content)} bytes of a PNG without its end")


def _check_end(content: memoryview) -> None:
    """OpenCV decodes half a JPEG, and leaves the rest grey."""
    try:
        end = end_of_jpeg(content)
    except NoJpegError as error:
        raise SampleError(f"is a damaged JPEG: {error}") from error
    if end is None:
        raise SampleError(f"is cut off: {len(content)} bytes of a JPEG without its end")


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Of the three kinds of it (RFC 9649)."""
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _bmp_size(head: bytes) -> tuple[int, int]:
    """A height below 0 stands for rows from the top."""
    if int.from_bytes(head[14:18], "little") == 12:  # of OS/2
        return int.from_bytes(head[18:20], "little"), int.from_bytes(head[20:22], "little")
    width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
    return abs(width), abs(height)


def _pnm_size(head: bytes) -> tuple[int, int] | None:
    """The first two words after the kind; a comment goes from # to the end of its line."""
    words = b" ".join(line.partition(b"#")[0] for line in head[2:].splitlines()).split()[:2]
    if len(words) < 2 or not all(word.isdigit() and len(word) < 10 for word in words):
        return None
    return int(words[0]), int(words[1])
