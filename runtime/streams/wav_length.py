"""How long the sound of a WAV file is by its own header, and what has to be read otherwise for all of it to be read.

A program that writes to a pipe cannot go back to its header: it leaves 0 there, or as much as fits. And a program that
is killed leaves what it wrote first. libsndfile takes such a length for true.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

_MOST_CHUNKS: Final = 1000
_ENDLESS: Final = (0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
_SHORT_OF_IT: Final = 0x1_0000  # sox and espeak-ng say 0x7FFFF000, others take the header off
_LONG_FORMS: Final = (b"RF64", b"BW64")  # EBU Tech 3306 and ITU-R BS.2088: alike but for the name
_IN_DS64: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class WavLength:
    """Bytes of sound: how many its header says (None: it does not say), and how many there are.

    `stray` bytes lie behind the sound and are no chunk of a WAV. `patches`, by their place in the file, are what has to
    stand there instead.
    """

    said: int | None
    there: int
    stray: int
    patches: Mapping[int, bytes] = field(default_factory=dict)


def read_wav_length(file: BinaryIO) -> WavLength | None:
    """Of a RIFF, RF64 or BW64 file; None for any other, and where no sound begins."""
    head = file.read(12)
    if head[:4] not in (b"RIFF", *_LONG_FORMS) or head[8:] != b"WAVE":
        return None
    size = file.seek(0, os.SEEK_END)
    chunks = _chunks(file, 12, size)
    if b"data" not in chunks:
        return None
    at, said = chunks[b"data"]
    there = size - at - 8
    ds64_at, ds64_size = chunks.get(b"ds64", (0, 0))
    long = ds64_size >= 24 and said == _IN_DS64
    if long:
        file.seek(ds64_at + 16)
        said = int.from_bytes(file.read(8), "little")
    stray = 0 if said >= there else _stray(file, at + 8 + said + said % 2, size)
    endless = said > there and any(most - _SHORT_OF_IT <= said <= most for most in _ENDLESS)
    patches = {0: b"RF64"} if head[:4] == b"BW64" else {}
    if endless or (said == 0 and stray):
        length = struct.pack("<Q", there)
        patches |= {ds64_at + 16: length} if long else {at + 4: min(there, _IN_DS64).to_bytes(4, "little")}
        return WavLength(None, there, 0, patches)
    return WavLength(said, min(said, there), stray, patches)


def _chunks(file: BinaryIO, at: int, size: int) -> dict[bytes, tuple[int, int]]:
    """Where the chunks are up to the sound, and how long by their own word."""
    found: dict[bytes, tuple[int, int]] = {}
    while len(found) < _MOST_CHUNKS and b"data" not in found and at + 8 <= size:
        name, length = _chunk(file, at)
        found.setdefault(name, (at, length))
        at += 8 + length + length % 2
    return found


def _stray(file: BinaryIO, at: int, size: int) -> int:
    """How many of the bytes from there to the end are no chunks."""
    for _ in range(_MOST_CHUNKS):
        if at + 8 > size:
            return 0
        name, length = _chunk(file, at)
        if not (name.isascii() and name.decode("ascii", "replace").isprintable()) or at + 8 + length > size:
            return size - at
        at += 8 + length + length % 2
    return 0


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    file.seek(at)
    name, length = struct.unpack("<4sI", file.read(8))
    return name, length
