"""An MCAP file, read from its beginning to its end or to where it breaks off."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Message, Schema, Statistics
from mcap.writer import MCAP0_MAGIC
from zstandard import ZstdError

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.bags import RawMessage, Topic, by_name, in_one_line
from edgefuse.runtime.streams.bags.mcap_records import CutOff, Record, records_of
from edgefuse.runtime.streams.bags.topic_table import TopicTable

# What mcap raises; the last two where a length is damaged.
_DAMAGED = (
    *(McapError, ZstdError, struct.error, ValueError, KeyError, IndexError, RuntimeError),
    *(OverflowError, MemoryError),
)
_FOOTER = struct.Struct("<BQQ8xI")  # where the summary begins, and its checksum
_CHECKSUM_BYTES = 4
_PIECE_BYTES = 1 << 20

log = logging.getLogger(__name__)


class McapFile:
    """The topics of a file and their messages.

    A file that was cut off (the recorder was killed, the disk was full) is read up to its last whole piece. That is
    logged as a warning, and so is any message that is missing. Raises StreamError if the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cut_off = False
        self._counts: Mapping[int, int] = {}  # of the messages of a channel, as the summary says
        self._table = TopicTable(path)
        self._said: set[str] = set()  # the topics of which it was said that something is missing
        with path.open("rb") as file, self._naming_damage():
            self._read_summary(file)
            if not self._table.channels:
                for record in self._whole_records(file):
                    if isinstance(record, Schema | Channel):
                        self._table.add(record)
        self.topics = by_name(self._table.channels.values())

    def messages(self, topics: Mapping[str, Topic]) -> Iterator[RawMessage]:
        """See BagFile."""
        table, counts, others = TopicTable(self.path), Counter[int](), Counter[str]()
        wanted: dict[int, bool] = {}
        with self.path.open("rb") as file, self._naming_damage():
            for record in self._whole_records(file):
                if isinstance(record, Channel):
                    table.add(record)
                    if record.topic in topics:
                        wanted[record.id] = table.channels[record.id].is_like(topics[record.topic])
                elif isinstance(record, Schema):
                    table.add(record)
                elif isinstance(record, Message) and record.channel_id in wanted:
                    topic = table.channels[record.channel_id].name
                    if wanted[record.channel_id]:
                        counts[record.channel_id] += 1
                        yield RawMessage(topic, record.log_time, record.data)
                    else:
                        others[topic] += 1
        self._say_what_is_left_out(topics, counts, others)

    def _read_summary(self, file: BinaryIO) -> None:
        """What the end of the file says of it; nothing where it says nothing, or is lost, which is logged."""
        try:
            table, counts = self._summary(file)
        except (*_DAMAGED, CutOff, OSError):
            log.warning("%s was cut off; it is replayed up to where it breaks off", self.path)
            self._cut_off = True
            return
        if _is_whole(file):
            self._table, self._counts = table, counts
        else:
            log.warning("%s: its summary is damaged; it is replayed without", self.path)

    def _summary(self, file: BinaryIO) -> tuple[TopicTable, Mapping[int, int]]:
        table, counts = TopicTable(self.path), dict[int, int]()
        start, _ = _footer(file)
        if not start:
            return table, counts
        file.seek(start)
        for record in records_of(file, self.path):
            if isinstance(record, Statistics):
                counts = record.channel_message_counts
            elif isinstance(record, Schema | Channel):
                table.add(record)
        return table, counts

    def _say_what_is_left_out(
        self, topics: Mapping[str, Topic], counts: Mapping[int, int], others: Mapping[str, int]
    ) -> None:
        """Log messages that are defined otherwise, and whether there were fewer than the end of the file says."""
        for name, number in others.items():
            self._say_once(name, f"{number} messages of {name} are left out: they are not defined as the others are")
        for channel, topic in self._table.channels.items():
            missing = self._counts.get(channel, 0) - counts.get(channel, 0)
            if missing > 0 and topic.name in topics and topic.is_like(topics[topic.name]):
                self._say_once(topic.name, f"{missing} messages of {topic.name} are missing: the file is damaged")

    def _say_once(self, topic: str, line: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            log.warning("%s: %s", self.path, line)

    def _whole_records(self, file: BinaryIO) -> Iterator[Record]:
        """Up to where the file ends or breaks off."""
        file.seek(len(MCAP0_MAGIC))
        try:
            yield from records_of(file, self.path)
        except CutOff:
            if not self._cut_off:
                raise McapError(f"no record begins or ends at byte {file.tell()}") from None

    @contextlib.contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise StreamError(f"{self.path} is damaged: {in_one_line(error)}; try `mcap recover`") from error
        except OSError as error:
            raise StreamError(f"{self.path} cannot be read: {error.strerror or error}") from error


def _footer(file: BinaryIO) -> tuple[int, int]:
    """Where the summary begins, and its checksum; 0 for what is not there."""
    file.seek(-len(MCAP0_MAGIC) - _FOOTER.size, os.SEEK_END)
    opcode, _, start, checksum = map(int, _FOOTER.unpack(file.read(_FOOTER.size)))
    if opcode != Opcode.FOOTER or file.read() != MCAP0_MAGIC:
        raise McapError("it does not end as it should")
    return start, checksum


def _is_whole(file: BinaryIO) -> bool:
    """Whether a file's summary has the checksum that its writer gave it, if one."""
    start, checksum = _footer(file)
    if not start or not checksum:
        return True
    left = file.seek(0, os.SEEK_END) - len(MCAP0_MAGIC) - _CHECKSUM_BYTES - start
    file.seek(start)
    found = 0
    while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
        found, left = zlib.crc32(piece, found), left - len(piece)
    return found == checksum
