"""A sqlite3 file (.db3) of a bag, as rosbag2 writes it, whole or as a recorder that was killed left it.

What was still in its write-ahead log (FILE-wal) is read too. Nothing is written into the file.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import struct
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.files.limits import RECORD_BYTES, TOPICS_BYTES
from edgefuse.runtime.streams.bags import RawMessage, Topic, by_name, in_one_line

_PAGES = struct.Struct(">16xH10xI")  # of the file's head: the bytes of a page, the pages of the file
_MOST_LENGTH = 1_000_000_000  # of one value, for sqlite3
_STEPS = 1_000_000
_LEAST_STEPS = 20_000_000  # a second or so
_STEPS_PER_BYTE = 10  # a message takes some 20 steps, and more than 12 bytes

log = logging.getLogger(__name__)


class SqliteFile:
    """The topics of a file and their messages.

    A file that was cut off is read up to where it breaks off, which is logged as a warning. Raises StreamError if it is
    damaged, or is no bag.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cut_off = _is_cut_off(path)
        if self._cut_off:
            log.warning("%s was cut off; it is replayed up to where it breaks off", path)
        elif self._left("-wal"):
            log.warning("%s was not closed by its recorder; what reached the disk is replayed", path)
        with self._opened() as database:
            self.topics = by_name(_topics(database))

    def messages(self, topics: Mapping[str, Topic]) -> Iterator[RawMessage]:
        """See BagFile."""
        with self._opened() as database:
            wanted = self._numbers(database, topics)
            try:
                for number, log_ns, size, data in database.execute(self._query(wanted)):
                    if not isinstance(log_ns, int) or not isinstance(size, int):
                        raise sqlite3.DatabaseError("a message is of another kind than was declared")
                    if number in wanted:
                        self._check_size(wanted[number], size)
                        yield RawMessage(wanted[number], log_ns, data)
            except sqlite3.DatabaseError:
                if not self._cut_off:
                    raise

    def _numbers(self, database: sqlite3.Connection, topics: Mapping[str, Topic]) -> dict[int, str]:
        """The names of these topics by the numbers that they have in this file."""
        rows = _rows(database, "SELECT id, name, type FROM topics")
        return {int(number): name for number, name, type_ in rows if name in topics and topics[name].type == type_}

    def _query(self, topics: Collection[int]) -> str:
        """For the messages of these topics; where the file breaks off, of all.

        For Python has looked for the next row before it hands out one: it must not find the break instead. No memory is
        taken for a message that is too large.
        """
        among = "" if self._cut_off else f"WHERE topic_id IN ({', '.join(map(str, topics))})"
        size = "CASE typeof(data) WHEN 'blob' THEN length(data) END"
        data = f"CASE WHEN length(data) <= {RECORD_BYTES.value} THEN data END"
        return f"SELECT topic_id, timestamp, {size}, {data} FROM messages {among} ORDER BY id"

    def _check_size(self, topic: str, size: int) -> None:
        refusal = RECORD_BYTES.refusal(size)
        if refusal is not None:
            raise StreamError(f"{self.path}: a message of {topic} has {refusal}")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Where nothing is left to take over, sqlite3 needs no files of its own beside this one.
        mode = "mode=ro" if any(map(self._left, ("-wal", "-journal"))) else "immutable=1"
        address = f"file:{quote(str(self.path.absolute()))}?{mode}"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as database:
                if self._cut_off:
                    database.execute("PRAGMA writable_schema = ON")  # sqlite3 then reads a file shorter than it says
                if sys.version_info >= (3, 11):
                    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(RECORD_BYTES.value, _MOST_LENGTH))
                database.execute("PRAGMA trusted_schema = OFF")
                database.set_progress_handler(_Patience(self.path).is_over, _STEPS)
                _check_tables(database)
                yield database
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StreamError(f"{self.path} {_in_words(error)}") from error

    def _left(self, suffix: str) -> bool:
        """Whether a recorder that was killed left something in this file beside ours."""
        beside = _beside(self.path, suffix)
        return beside.exists() and beside.stat().st_size > 0


class _Patience:
    """How much sqlite3 may do with a file: more than what it can hold takes shows that it leads round in circles."""

    def __init__(self, path: Path) -> None:
        size = sum(file.stat().st_size for file in (path, _beside(path, "-wal")) if file.exists())
        self._left = _LEAST_STEPS + _STEPS_PER_BYTE * size

    def is_over(self) -> bool:
        """Asked each _STEPS steps."""
        self._left -= _STEPS
        return self._left < 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _check_tables(database: sqlite3.Connection) -> None:
    """That what is read is stored, and not computed while it is read: no view, no virtual table, no computed column."""
    for table in ("topics", "messages", "message_definitions"):
        for kind, page in database.execute("SELECT type, rootpage FROM sqlite_master WHERE lower(name) = ?", (table,)):
            columns = database.execute(f"PRAGMA table_xinfo({table})")
            if kind != "table" or not page or any(column[-1] for column in columns):
                raise sqlite3.DatabaseError(f"{table} is no plain table, as rosbag2 writes it")


def _topics(database: sqlite3.Connection) -> list[Topic]:
    definitions = _definitions(database)
    rows = _texts(database, "SELECT name, type, serialization_format FROM topics ORDER BY id")
    return [Topic(name, type_, encoding, definitions.get(type_, "")) for name, type_, encoding in rows]


def _definitions(database: sqlite3.Connection) -> dict[str, str]:
    """What each type holds; nothing in bags that are older than ROS 2 Iron."""
    if not database.execute("PRAGMA table_info(message_definitions)").fetchall():
        return {}
    rows = _texts(database, "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions")
    return {type_: definition for type_, encoding, definition in rows if encoding == "ros2msg"}


def _texts(database: sqlite3.Connection, query: str) -> list[tuple[str, str, str]]:
    rows = _rows(database, query)
    if not all(isinstance(value, str) for row in rows for value in row):
        raise sqlite3.DatabaseError("what should be a text is none")
    return rows


def _rows(database: sqlite3.Connection, query: str) -> list[tuple[Any, Any, Any]]:
    """Of what the bag says of its topics; raises DatabaseError where that is too much."""
    rows: list[tuple[Any, Any, Any]] = []
    size = 0
    for row in database.execute(query):
        rows.append(row)
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        refusal = TOPICS_BYTES.refusal(size)
        if refusal is not None:
            raise sqlite3.DatabaseError(f"what it says of its topics has {refusal}")
    return rows


def _is_cut_off(path: Path) -> bool:
    """Whether the file is shorter than its head says."""
    with path.open("rb") as file:
        head = file.read(_PAGES.size)
    if len(head) < _PAGES.size:
        return True
    page_bytes, pages = map(int, _PAGES.unpack(head))
    return path.stat().st_size < (page_bytes if page_bytes > 1 else 1 << 16) * pages


def _in_words(error: Exception) -> str:
    """What is wrong with a file, and what to do, to go on from its name."""
    said = in_one_line(error)
    if "interrupted" in said:
        return "is damaged: reading it leads round in circles"
    if "is no plain table" in said:
        return f"is no bag of ROS 2: {said}"
    if "raises that" in said:
        return f"is not read: {said}"
    if "no such table" in said or "no such column" in said:
        return f"is a database, but no bag of ROS 2: {said}"
    if "readonly" in said:
        return "was left in the middle of a write: `sqlite3 FILE .tables` takes back what is half written"
    if "unable to open" in said:
        return "cannot be read where it lies: copy it, with the files of its name beside it, to where you may write"
    return f"is damaged: {said}; try `sqlite3 FILE .recover | sqlite3 RECOVERED.db3`"
