"""JPEG, as far as it can be understood without decoding it: where a picture ends, and which size it says it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BEGIN: Final = b"\xff\xd8\xff"
"""The start of image, and the first byte of the marker that follows it."""

_END, _START_OF_SCAN, _START_OF_IMAGE = 0xD9, 0xDA, 0xD8
_WITHOUT_LENGTH: Final = frozenset((0x01, *range(0xD0, 0xD8)))
_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, but for DHT, JPG and DAC
_MARKER: Final = re.compile(rb"\xff+[\x01\xc0-\xfe]|\xff*[^\xff]", re.DOTALL)  # or what stands in its place
_MARKER_IN_SCAN: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # neither a stuffed byte nor a restart
_MOST_SCANS: Final = 100
"""A progressive picture has about 10. Each is decoded in full, so that some kilobytes could take minutes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker, and where what belongs to it begins and ends (which may be after the end of what is there)."""

    marker: int
    begin: int
    end: int


class NoJpegError(ValueError):
    """What is no JPEG from `at` on, where another one may begin."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def jpeg_size(content: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Width and height that the header of a JPEG says; None if it does not come so far. Raises NoJpegError."""
    for segment in _segments(content, 0):
        if segment.marker in _SIZES and segment.begin + 5 <= len(content):
            height, width = (int.from_bytes(content[segment.begin + at :][:2], "big") for at in (1, 3))
            return width, height
        if segment.marker == _START_OF_SCAN:
            return None
    return None


def end_of_jpeg(content: bytes | bytearray | memoryview, begin: int = 0) -> int | None:
    """Where the JPEG that begins there ends; None if it is not all there. Raises NoJpegError where it is damaged."""
    scans = 0
    for segment in _segments(content, begin):
        scans += segment.marker == _START_OF_SCAN
        if scans > _MOST_SCANS:
            raise NoJpegError(f"more than {_MOST_SCANS} scans", segment.begin)
        if segment.marker == _END:
            return segment.end
    return None


def _segments(content: bytes | bytearray | memoryview, begin: int) -> Iterator[Segment]:
    """Those after the start of image. Only the data of a scan may stand between two of them."""
    if bytes(content[begin : begin + 2]) != BEGIN[:2]:
        raise NoJpegError("no start of image", begin + 1)
    segment = Segment(_START_OF_IMAGE, begin + 2, begin + 2)
    while segment.end < len(content):
        found = (_MARKER_IN_SCAN.search if segment.marker == _START_OF_SCAN else _MARKER.match)(content, segment.end)
        if found is None:
            return
        if not _names_marker(found[0]):
            raise NoJpegError("something else in the place of a marker", segment.begin)
        following = _segment(content, found)
        if following is None:
            return
        segment = following
        yield segment
        if segment.marker == _END:
            return


def _names_marker(found: bytes) -> bool:
    return found[0] == 0xFF and (found[-1] == 0x01 or found[-1] >= 0xC0)


def _segment(content: bytes | bytearray | memoryview, found: re.Match[bytes]) -> Segment | None:
    marker, after = content[found.end() - 1], found.end()
    if marker == _START_OF_IMAGE:
        raise NoJpegError("it breaks off, and another picture begins", found.end() - 2)
    if marker == _END or marker in _WITHOUT_LENGTH:
        return Segment(marker, after, after)
    if after + 2 > len(content):
        return None
    length = int.from_bytes(content[after : after + 2], "big")
    if length < 2:
        raise NoJpegError("a segment without a length", after)
    return Segment(marker, after + 2, after + length)
