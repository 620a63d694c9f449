"""An MCAP file of ROS 2 messages, read without ROS, whole or cut off."""

from __future__ import annotations

import contextlib
import logging
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from mcap.exceptions import EndOfFile, McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Channel, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader
from mcap.summary import Summary
from mcap.writer import MCAP0_MAGIC
from mcap_ros2.decoder import DecoderFactory
from zstandard import ZstdError

from edgefuse.runtime.errors import SampleError, StreamError

_DAMAGED = (McapError, ZstdError, struct.error, ValueError, KeyError, IndexError, RuntimeError)  # what mcap raises
_RECORD_HEAD = struct.Struct("<BQ")

Decoder: TypeAlias = Callable[[bytes], Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a file; `type` is like `sensor_msgs/msg/Image`."""

    name: str
    type: str
    metadata: dict[str, str]


class McapFile:
    """The topics of a file and their messages.

    A file that was cut off (the recorder was killed, the disk was full) is read up to its last whole piece, which is
    logged as a warning. Raises StreamError if it is missing, no MCAP file, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            summary = self._summary(file)
            self._indexed = summary is not None
            with self._naming_damage():
                described = _described(summary) if summary else _described_among(_whole_records(file))
                self.topics = {topic.name: topic for topic in described}

    def messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Each message of a topic with its log time [ns since the epoch], in the order of that time.

        A message that cannot be decoded comes as a SampleError. Raises StreamError where the file is damaged.
        """
        decoder: Decoder | None = None
        with self._open() as file, self._naming_damage():
            for schema, channel, message in self._raw(file, topic):
                decoder = decoder or self._decoder(channel, schema)
                yield message.log_time, _decoded(decoder, message.data)

    def _open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise StreamError(f"{self.path}: no such recording ({error.strerror})") from error
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            file.close()
            raise StreamError(f"{self.path} is no MCAP file; record one with --record FILE.mcap, or `ros2 bag record`")
        file.seek(0)
        return file

    def _summary(self, file: BinaryIO) -> Summary | None:
        """The file's index, None where it has none or has lost it; the latter is logged."""
        try:
            summary = make_reader(file).get_summary()
        except (*_DAMAGED, OSError):
            log.warning("%s was cut off; it is replayed up to where it breaks off", self.path)
            return None
        if summary is None or not summary.chunk_indexes:
            return None
        known = all(channel.schema_id in summary.schemas for channel in summary.channels.values())
        return summary if known and summary.channels else None

    def _raw(self, file: BinaryIO, topic: str) -> Iterable[tuple[Schema | None, Channel, Message]]:
        if self._indexed:
            return make_reader(file, validate_crcs=True).iter_messages(topics=[topic], log_time_order=True)
        return _messages_among(_whole_records(file), topic)

    def _decoder(self, channel: Channel, schema: Schema | None) -> Decoder:
        decoder: Decoder | None = DecoderFactory().decoder_for(channel.message_encoding, schema)
        if decoder is None:
            encoding = f"{channel.message_encoding} / {schema.encoding if schema else 'no schema'}"
            raise StreamError(f"{self.path}: {channel.topic} is encoded as {encoding}, expected cdr / ros2msg")
        return decoder

    @contextlib.contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise StreamError(f"{self.path} is damaged: {error}; try `mcap recover`") from error


def _described(summary: Summary) -> Iterator[Topic]:
    for channel in summary.channels.values():
        yield _topic(channel, summary.schemas[channel.schema_id])


def _described_among(records: Iterable[McapRecord]) -> Iterator[Topic]:
    schemas: dict[int, Schema] = {}
    for record in records:
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel) and record.schema_id in schemas:
            yield _topic(record, schemas[record.schema_id])


def _topic(channel: Channel, schema: Schema) -> Topic:
    package, *_, name = schema.name.split("/")
    return Topic(channel.topic, f"{package}/msg/{name}", channel.metadata)


def _whole_records(file: BinaryIO) -> Iterator[McapRecord]:
    """Every record, those in chunks too, up to where the file breaks off."""
    file.seek(len(MCAP0_MAGIC))
    while len(head := file.read(_RECORD_HEAD.size)) == _RECORD_HEAD.size:
        opcode, length = _RECORD_HEAD.unpack(head)
        body = file.read(length)
        if len(body) < length or opcode not in Opcode._value2member_map_:
            return
        with contextlib.suppress(EndOfFile):  # the reader wants a footer, this is one record
            yield from StreamReader(BytesIO(head + body), skip_magic=True, validate_crcs=True).records


def _messages_among(records: Iterable[McapRecord], topic: str) -> Iterator[tuple[Schema | None, Channel, Message]]:
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    for record in records:
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel) and record.topic == topic:
            channels[record.id] = record
        elif isinstance(record, Message) and record.channel_id in channels:
            channel = channels[record.channel_id]
            yield schemas.get(channel.schema_id), channel, record


def _decoded(decoder: Decoder, data: bytes) -> Any:
    try:
        return decoder(data)
    except _DAMAGED as error:
        return SampleError(f"cannot be decoded: {error}")
