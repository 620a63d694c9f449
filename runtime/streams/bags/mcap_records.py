"""The records of an MCAP file, one after another, each within limits."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema, Statistics

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.files.limits import RECORD_BYTES
from edgefuse.runtime.streams.bags.packing import COMPRESSIONS, unpacked

Record: TypeAlias = Schema | Channel | Message | Statistics

_HEAD: Final = struct.Struct("<BQ")
_WANTED: Final = (Opcode.CHUNK, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE, Opcode.STATISTICS)
_BEHIND_THE_DATA: Final = (Opcode.DATA_END, Opcode.FOOTER)
_PRIVATE: Final = 0x80  # from here on, records are of a writer's own


class CutOff(Exception):
    """No whole record follows."""


def records_of(file: BinaryIO, path: Path) -> Iterator[Record]:
    """Those from where `file` stands to the end of its data or of its summary, those in chunks too.

    Chunks are checked against the checksums that their writer gave them. Raises CutOff where the file breaks off,
    McapError or what else mcap raises where it is damaged, and StreamError for a record that is too large.
    """
    for opcode, content in _split(file, path):
        if opcode in _BEHIND_THE_DATA:
            return
        if opcode == Opcode.CHUNK:
            yield from _in_chunk(content, path)
        elif opcode in _WANTED:
            yield _record(opcode, content)


def _in_chunk(content: bytes, path: Path) -> Iterator[Record]:
    chunk = Chunk.read(_stream(content))
    if chunk.compression not in COMPRESSIONS:
        raise McapError(f"a chunk is compressed as {chunk.compression!r}, expected zstd or lz4")
    _check_size(path, chunk.uncompressed_size)
    plain = unpacked(chunk.data, chunk.compression, chunk.uncompressed_size)
    if chunk.uncompressed_crc and zlib.crc32(plain) != chunk.uncompressed_crc:
        raise McapError("a chunk does not have the checksum that its writer gave it")
    try:
        for opcode, record in _split(BytesIO(plain), path):
            if opcode in _WANTED and opcode != Opcode.CHUNK:
                yield _record(opcode, record)
    except CutOff:
        raise McapError("a record of a chunk reaches beyond its end") from None


def _split(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """The opcode and the content of each record; no content of those that are not wanted."""
    begin = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(begin)
    while (place := file.tell()) < end:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise CutOff
        opcode, length = _HEAD.unpack(head)
        if length > end - place - _HEAD.size or not (opcode in Opcode._value2member_map_ or opcode >= _PRIVATE):
            raise CutOff
        if opcode in _WANTED:
            _check_size(path, length)
            yield opcode, file.read(length)
        else:
            yield opcode, b""
            file.seek(place + _HEAD.size + length)


def _check_size(path: Path, size: int) -> None:
    refusal = RECORD_BYTES.refusal(size)
    if refusal is not None:
        raise StreamError(f"{path}: a piece of it has {refusal}")


def _record(opcode: int, content: bytes) -> Record:
    stream = _stream(content)
    record: Record
    if opcode == Opcode.SCHEMA:
        record = Schema.read(stream)
    elif opcode == Opcode.CHANNEL:
        record = Channel.read(stream)
    elif opcode == Opcode.STATISTICS:
        record = Statistics.read(stream)
    else:
        record = Message.read(stream, len(content))
    return record


def _stream(content: bytes) -> ReadDataStream:
    return ReadDataStream(BytesIO(content))
