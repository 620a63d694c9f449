"""An MCAP file, read from its beginning to its end or to where it breaks off."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import zlib
from collections import Counter
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
from mcap.summary import Summary
from mcap.well_known import SchemaEncoding
from mcap.writer import MCAP0_MAGIC
from zstandard import ZstdError

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.bags import RawMessage, Topic, by_name, in_one_line

# What mcap raises; the last two where a length is damaged.
_DAMAGED = (
    *(McapError, ZstdError, struct.error, ValueError, KeyError, IndexError, RuntimeError),
    *(OverflowError, MemoryError),
)
_RECORD_HEAD = struct.Struct("<BQ")
_FOOTER = struct.Struct("<9xQ8xI")  # with its head: where the summary begins, and its checksum
_CHECKSUM_BYTES = 4
_COMPRESSIONS = ("", "zstd", "lz4")
_OF_MESSAGES = (Opcode.CHUNK, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE)
_BEHIND_THE_DATA = (Opcode.DATA_END, Opcode.FOOTER)
_PRIVATE = 0x80  # from here on, records are of a writer's own
_MOST_SUMMARY_BYTES = 1 << 28  # a record of a summary is a few KB; one that is damaged must not eat the memory

log = logging.getLogger(__name__)


class McapFile:
    """The topics of a file and their messages.

    A file that was cut off (the recorder was killed, the disk was full) is read up to its last whole piece. That is
    logged as a warning, and so is any message that is missing. Raises StreamError if the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cut_off = False
        self._missing: set[str] = set()  # the topics of which it was said
        with path.open("rb") as file, self._naming_damage():
            self._summary = self._read_summary(file)
            described = _topics_of([*self._summary.schemas.values(), *self._summary.channels.values()])
            self.topics = by_name(described or _topics_of(self._whole_records(file)))

    def messages(self, types: Mapping[str, str]) -> Iterator[RawMessage]:
        """See BagFile."""
        wanted: dict[int, str] = {}
        found: dict[int, str] = {}
        counts: Counter[int] = Counter()
        with self.path.open("rb") as file, self._naming_damage():
            for record in self._whole_records(file):
                if isinstance(record, Schema):
                    found[record.id] = _type_of(record)
                elif isinstance(record, Channel):
                    if record.topic in types and found.get(record.schema_id) == types[record.topic]:
                        wanted[record.id] = record.topic
                elif isinstance(record, Message) and record.channel_id in wanted:
                    counts[record.channel_id] += 1
                    yield RawMessage(wanted[record.channel_id], record.log_time, record.data)
        self._check_complete(types, counts)

    def _read_summary(self, file: BinaryIO) -> Summary:
        """What the end of the file says of it; nothing where it says nothing, or is lost, which is logged."""
        try:
            summary = SeekingReader(file, record_size_limit=_MOST_SUMMARY_BYTES).get_summary() or Summary()
        except (*_DAMAGED, OSError):
            log.warning("%s was cut off; it is replayed up to where it breaks off", self.path)
            self._cut_off = True
            return Summary()
        if _is_whole(file):
            return summary
        log.warning("%s: its summary is damaged; it is replayed without", self.path)
        return Summary()

    def _check_complete(self, types: Mapping[str, str], counts: Mapping[int, int]) -> None:
        """Log whether there were fewer messages of these topics than the end of the file says."""
        said = self._summary.statistics.channel_message_counts if self._summary.statistics else {}
        for number, channel in self._summary.channels.items():
            topic, schema = channel.topic, self._summary.schemas.get(channel.schema_id)
            missing = said.get(number, 0) - counts[number]
            of_type = schema is not None and types.get(topic) == _type_of(schema)
            if of_type and missing > 0 and topic not in self._missing:
                self._missing.add(topic)
                log.warning("%s: %d messages of %s are missing: the file is damaged", self.path, missing, topic)

    def _whole_records(self, file: BinaryIO) -> Iterator[McapRecord]:
        """Schemas, channels and messages, those in chunks too, up to where the file ends or breaks off.

        Chunks are checked against the checksums that their writer gave them.
        """
        end = file.seek(0, os.SEEK_END)
        file.seek(len(MCAP0_MAGIC))
        while len(head := file.read(_RECORD_HEAD.size)) == _RECORD_HEAD.size:
            opcode, length = _RECORD_HEAD.unpack(head)
            if opcode in _BEHIND_THE_DATA:
                return
            if length > end - file.tell() or not (opcode in Opcode._value2member_map_ or opcode >= _PRIVATE):
                break
            if opcode in _OF_MESSAGES:
                yield from _records_of(opcode, file.read(length))
            else:
                file.seek(length, os.SEEK_CUR)
        if not self._cut_off:
            raise McapError(f"no record begins or ends at byte {file.tell()}")

    @contextlib.contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise StreamError(f"{self.path} is damaged: {in_one_line(error)}; try `mcap recover`") from error
        except OSError as error:
            raise StreamError(f"{self.path} cannot be read: {error.strerror or error}") from error


def _is_whole(file: BinaryIO) -> bool:
    """Whether a file's summary has the checksum that its writer gave it, if one."""
    end = file.seek(-len(MCAP0_MAGIC) - _FOOTER.size, os.SEEK_END)
    start, checksum = map(int, _FOOTER.unpack(file.read(_FOOTER.size)))
    if not start or not checksum:
        return True
    file.seek(start)
    return zlib.crc32(file.read(end + _FOOTER.size - _CHECKSUM_BYTES - start)) == checksum


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
