"""A sqlite3 file (.db3) of a bag, as rosbag2 writes it, whole or as a recorder that was killed left it.

What was still in its write-ahead log (FILE-wal) is read too. Nothing is written into the file.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.bags import RawMessage, Topic, by_name, in_one_line

_PAGES = struct.Struct(">16xH10xI")  # of the file's head: the bytes of a page, the pages of the file

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

    def messages(self, types: Mapping[str, str]) -> Iterator[RawMessage]:
        """See BagFile."""
        with self._opened() as database:
            rows = database.execute("SELECT id, name, type FROM topics").fetchall()
            wanted = {int(number): name for number, name, type_ in rows if types.get(name) == type_}
            try:
                for number, log_ns, data in database.execute(self._query(wanted)):
                    if not isinstance(log_ns, int) or not isinstance(data, bytes):
                        raise sqlite3.DatabaseError("a message is of another kind than was declared")
                    if number in wanted:
                        yield RawMessage(wanted[number], log_ns, data)
            except sqlite3.DatabaseError:
                if not self._cut_off:
                    raise

    def _query(self, topics: Collection[int]) -> str:
        """For the messages of these topics; where the file breaks off, of all.

        For Python has looked for the next row before it hands out one: it must not find the break instead.
        """
        among = "" if self._cut_off else f"WHERE topic_id IN ({', '.join(map(str, topics))})"
        return f"SELECT topic_id, timestamp, data FROM messages {among} ORDER BY id"

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Where nothing is left to take over, sqlite3 needs no files of its own beside this one.
        mode = "mode=ro" if any(map(self._left, ("-wal", "-journal"))) else "immutable=1"
        address = f"file:{quote(str(self.path.absolute()))}?{mode}"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as database:
                if self._cut_off:
                    database.execute("PRAGMA writable_schema = ON")  # sqlite3 then reads a file shorter than it says
                yield database
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StreamError(f"{self.path} {_in_words(error)}") from error

    def _left(self, suffix: str) -> bool:
        """Whether a recorder that was killed left something in this file beside ours."""
        beside = self.path.with_name(self.path.name + suffix)
        return beside.exists() and beside.stat().st_size > 0


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
    rows = database.execute(query).fetchall()
    if not all(isinstance(value, str) for row in rows for value in row):
        raise sqlite3.DatabaseError("what should be a text is none")
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
    if "no such table" in said or "no such column" in said:
        return f"is a database, but no bag of ROS 2: {said}"
    if "readonly" in said:
        return "was left in the middle of a write: `sqlite3 FILE .tables` takes back what is half written"
    if "unable to open" in said:
        return "cannot be read where it lies: copy it, with the files of its name beside it, to where you may write"
    return f"is damaged: {said}; try `sqlite3 FILE .recover | sqlite3 RECOVERED.db3`"
