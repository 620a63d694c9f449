"""Which other files an ONNX graph takes its weights from: those that its manifest has to list, too.

Reads as much of ONNX's protobuf as that takes, without the package: messages are walked by the numbers of their fields
(onnx.proto), and weights are stepped over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edgefuse.runtime.errors import BundleError

_EXTERNAL: Final = "external data"
_FIELDS: Final = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: _EXTERNAL},
}
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_DEEPEST = 100  # of protobuf's own readers


def external_files(path: Path) -> set[str]:
    """The names of the files, as the graph says them; none where it has its weights itself.

    Raises BundleError for a file that is no protobuf, and OSError.
    """
    if path.stat().st_size == 0:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"location") < 0:
            return set()
        try:
            return set(_locations(content, 0, len(content), "model", 0))
        except (ValueError, IndexError, UnicodeDecodeError) as error:
            raise BundleError(f"{path} is no graph of ONNX: {error}; export it again") from error


def _locations(content: mmap.mmap, begin: int, end: int, message: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    for field, first, last in _parts(content, begin, end):
        inner = _FIELDS[message].get(field)
        if inner == _EXTERNAL:
            said = {number: content[start:stop].decode() for number, start, stop in _parts(content, first, last)}
            if said.get(1) == "location":
                yield said.get(2, "")
        elif inner is not None:
            yield from _locations(content, first, last, inner, depth + 1)


def _parts(content: mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Of one message, the fields that have a length: number, first byte, and the one after the last."""
    at = begin
    while at < end:
        tag, at = _varint(content, at, end)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(content, at, end)
        elif kind == _BYTES:
            size, at = _varint(content, at, end)
            if size > end - at:
                raise ValueError("a field is longer than what holds it")
            yield tag >> 3, at, at + size
            at += size
        elif kind in (_FIXED_64, _FIXED_32):
            at += 8 if kind == _FIXED_64 else 4
        else:
            raise ValueError(f"a field is of kind {kind}")


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        if at + place >= end:
            break
        byte = content[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number does not end")
