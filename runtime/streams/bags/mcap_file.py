"""An MCAP file, read from its beginning to its end or to where it breaks off."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import breakup_chunk
from mcap.well_known import SchemaEncoding
from mcap.writer import MCAP0_MAGIC
from zstandard import ZstdError

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.bags import RawMessage, Topic, by_name

_DAMAGED = (McapError, ZstdError, struct.error, ValueError, KeyError, IndexError, RuntimeError)  # what mcap raises
_RECORD_HEAD = struct.Struct("<BQ")
_COMPRESSIONS = ("", "zstd", "lz4")
_MOST_SUMMARY_BYTES = 1 << 28  # a record of a summary is a few KB; one that is damaged must not eat the memory

log = logging.getLogger(__name__)


class McapFile:
    """The topics of a file and their messages.

    A file that was cut off (the recorder was killed, the disk was full) is read up to its last whole piece, which is
    logged as a warning. Raises StreamError if it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file, self._naming_damage():
            described = self._described_by_index(file) or _topics_of(_whole_records(file))
            self.topics = by_name(described)

    def messages(self, types: Mapping[str, str]) -> Iterator[RawMessage]:
        """See BagFile."""
        wanted: dict[int, str] = {}
        found: dict[int, str] = {}
        with self.path.open("rb") as file, self._naming_damage():
            for record in _whole_records(file):
                if isinstance(record, Schema):
                    found[record.id] = _type_of(record)
                elif isinstance(record, Channel):
                    if record.topic in types and found.get(record.schema_id) == types[record.topic]:
                        wanted[record.id] = record.topic
                elif isinstance(record, Message) and record.channel_id in wanted:
                    yield RawMessage(wanted[record.channel_id], record.log_time, record.data)

    def _described_by_index(self, file: BinaryIO) -> list[Topic]:
        """The topics as the end of the file lists them; none where that lists none, or is lost, which is logged."""
        try:
            summary = SeekingReader(file, record_size_limit=_MOST_SUMMARY_BYTES).get_summary()
        except (*_DAMAGED, OSError):
            log.warning("%s was cut off; it is replayed up to where it breaks off", self.path)
            return []
        if summary is None:
            return []
        return _topics_of([*summary.schemas.values(), *summary.channels.values()])

    @contextlib.contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            what = str(error) or type(error).__name__
            raise StreamError(f"{self.path} is damaged: {what}; try `mcap recover`") from error
        except OSError as error:
            raise StreamError(f"{self.path} cannot be read: {error.strerror or error}") from error


def _topics_of(records: Iterable[McapRecord]) -> list[Topic]:
    schemas: dict[int, Schema] = {}
    found: list[Topic] = []
    for record in records:
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel) and record.schema_id in schemas:
            found.append(_topic(record, schemas[record.schema_id]))
    return found


def _topic(channel: Channel, schema: Schema) -> Topic:
    definition = schema.data.decode() if schema.encoding == SchemaEncoding.ROS2 else ""
    return Topic(channel.topic, _type_of(schema), channel.message_encoding, definition, channel.metadata)


def _type_of(schema: Schema) -> str:
    package, *_, name = schema.name.split("/")
    return f"{package}/msg/{name}"


def _whole_records(file: BinaryIO) -> Iterator[McapRecord]:
    """Schemas, channels and messages, those in chunks too, up to where the file ends or breaks off.

    Chunks are checked against the checksums that their writer gave them.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(len(MCAP0_MAGIC))
    while len(head := file.read(_RECORD_HEAD.size)) == _RECORD_HEAD.size:
        opcode, length = _RECORD_HEAD.unpack(head)
        if length > end - file.tell() or opcode not in Opcode._value2member_map_:
            return
        if opcode in (Opcode.DATA_END, Opcode.FOOTER):  # behind it are an index and a summary
            return
        if opcode in (Opcode.CHUNK, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE):
            yield from _records_of(opcode, file.read(length))
        else:
            file.seek(length, os.SEEK_CUR)


def _records_of(opcode: int, body: bytes) -> Iterable[McapRecord]:
    stream = ReadDataStream(BytesIO(body))
    if opcode == Opcode.SCHEMA:
        return [Schema.read(stream)]
    if opcode == Opcode.CHANNEL:
        return [Channel.read(stream)]
    if opcode == Opcode.MESSAGE:
        return [Message.read(stream, len(body))]
    chunk = Chunk.read(stream)
    if chunk.compression not in _COMPRESSIONS:
        raise McapError(f"a chunk is compressed as {chunk.compression!r}, expected zstd or lz4")
    return breakup_chunk(chunk, validate_crc=True)
