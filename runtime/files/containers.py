"""Containers of video, as far as they say how long their file is: what is cut off is known without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_FIRST_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot")
_MOST_BOXES: Final = 100_000
_LENGTH_UNKNOWN: Final = (0, 0xFFFFFFFF)  # of a RIFF that went into a pipe, or whose writer was killed


def missing_bytes(path: Path) -> int | None:
    """How many bytes a video file lacks at its end; None where its container does not say.

    MP4 and QuickTime say it by their boxes (ISO/IEC 14496-12), AVI by its chunks, Matroska and WebM by their segment
    (RFC 8794), unless it was written into a pipe. A transport stream never says it. Raises OSError.
    """
    with path.open("rb") as file:
        length = path.stat().st_size
        head = file.read(12)
        said: int | None = None
        if head[4:8] in _FIRST_BOXES:
            said = _end_of_boxes(file, length)
        elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            said = _end_of_chunks(file, length)
        elif head[:4] == _EBML:
            said = _end_of_segment(file)
        return None if said is None else max(0, said - length)


def lacks_index(path: Path) -> bool:
    """Whether it is an MP4 or QuickTime file that its writer did not finish: the index comes last. Raises OSError."""
    with path.open("rb") as file:
        if file.read(8)[4:] not in _FIRST_BOXES:
            return False
        at, length = 0, path.stat().st_size
        for _ in range(_MOST_BOXES):
            kind, end = _box(file, at, length)
            if kind == b"moov":
                return False
            if end <= at or end >= length:
                return True
            at = end
    return False


def _end_of_boxes(file: BinaryIO, length: int) -> int | None:
    at = 0
    for _ in range(_MOST_BOXES):
        _, end = _box(file, at, length)
        if end >= length or end <= at:
            return max(at, end)
        at = end
    return None


def _box(file: BinaryIO, at: int, length: int) -> tuple[bytes, int]:
    """Its kind, and where it ends; at its own beginning where its size makes no sense."""
    file.seek(at)
    head = file.read(16)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if size == 1:
        size = int.from_bytes(head[8:16], "big")
    elif size == 0:  # to the end of the file
        return kind, max(length, at + 8)
    return kind, at + size if size >= 8 else at


def _end_of_chunks(file: BinaryIO, length: int) -> int | None:
    """An AVI of more than a gigabyte is several chunks."""
    end = 0
    while (at := end + end % 2) < length:
        file.seek(at)
        head = file.read(8)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or size in _LENGTH_UNKNOWN:
            return end or None
        end = at + 8 + size
    return end


def _end_of_segment(file: BinaryIO) -> int | None:
    file.seek(4)
    header = _vint(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return None
    size = _vint(file)
    return None if size is None else file.tell() + size


def _vint(file: BinaryIO) -> int | None:
    """An element's size; None where it is unknown (all ones), or no number."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    number = int.from_bytes(bytes([first[0] & (0xFF >> (more + 1))]) + file.read(more), "big")
    return None if number == (1 << 7 * (more + 1)) - 1 else number
