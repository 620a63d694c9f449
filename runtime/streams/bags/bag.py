"""A bag: one file, or a directory of files such as rosbag2 makes, read one after another."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mcap.writer import MCAP0_MAGIC

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.bags import BagFile, RawMessage, Topic
from edgefuse.runtime.streams.bags.directory import METADATA_FILE, files_in
from edgefuse.runtime.streams.bags.packing import ZSTD_MAGIC

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_ROS1_MAGIC: Final = b"#ROSBAG V"
_MAGICS: Final = (MCAP0_MAGIC, _SQLITE_MAGIC, _ROS1_MAGIC, ZSTD_MAGIC)
_SUFFIXES: Final = (".mcap", ".db3", ".bag", ".zstd")

log = logging.getLogger(__name__)


class Bag:
    """The files of a bag in their order, and the topics of all of them.

    Raises StreamError, with what to do instead, if it is missing, damaged, or of a kind that is not read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.parent if path.name == METADATA_FILE else path
        with _naming_reason(path):
            self.files = self._opened(files_in(self.path) if self.path.is_dir() else [self.path])
        self.topics: dict[str, Topic] = {}
        for file in self.files:
            self._add(file.topics)

    def messages(self, topic: Topic) -> Iterator[RawMessage]:
        """Those of one topic, in the order in which they were stored; raises StreamError where a file is damaged."""
        for file in self.files:
            yield from file.messages({topic.name: topic})

    def _opened(self, paths: list[Path]) -> list[BagFile]:
        """Of a bag of several files, those that are empty are left out, which is logged."""
        empty = [path for path in paths if path.exists() and not path.stat().st_size]
        whole = [path for path in paths if path not in empty] or paths
        if whole is not paths:
            for path in empty:
                log.warning("%s is empty, and left out: was its recorder killed?", path)
        return [_open(path) for path in whole]

    def _add(self, topics: Mapping[str, Topic]) -> None:
        for topic in topics.values():
            known = self.topics.setdefault(topic.name, topic)
            if known.type != topic.type:
                types = f"{known.type} and as {topic.type}"
                log.warning("%s: %s comes as %s; only the first is read", self.path, topic.name, types)
            elif topic.definition and not known.definition:
                self.topics[topic.name] = topic


def is_bag(path: Path) -> bool:
    """Whether a path is a recording of ROS messages, of whatever kind, by what it holds or is called.

    Raises StreamError where it cannot be looked at.
    """
    if path.name == METADATA_FILE or path.suffix in _SUFFIXES:
        return True
    with _naming_reason(path):
        return path.is_dir() or (path.is_file() and _head_of(path).startswith(_MAGICS))


def _open(path: Path) -> BagFile:
    head = _head_of(path)
    if head.startswith(MCAP0_MAGIC):
        from edgefuse.runtime.streams.bags.mcap_file import McapFile

        return McapFile(path)
    if head.startswith(_SQLITE_MAGIC):
        from edgefuse.runtime.streams.bags.sqlite_file import SqliteFile

        return SqliteFile(path)
    raise StreamError(f"{path} {_why_not(path, head)}")


def _why_not(path: Path, head: bytes) -> str:
    """Why a file cannot be read, and what to do, to go on from its name."""
    if head.startswith(_ROS1_MAGIC):
        bag = path.with_suffix("")
        return f"is a bag of ROS 1: `pip install rosbags`, `rosbags-convert --src {path} --dst {bag}`, then name {bag}"
    if head.startswith(ZSTD_MAGIC):
        return f"is compressed as a whole: `zstd -d {path} -o {path.with_suffix('')}` unpacks it; then run this again"
    if not head:
        return "is empty: was its recorder killed?"
    return "is no recording: expected MCAP or sqlite3 (.db3), as `--record FILE.mcap` and `ros2 bag record` write them"


def _head_of(path: Path) -> bytes:
    with _naming_reason(path):
        if path.exists() and not path.is_file():  # a pipe would be waited for, a device never ends
            raise StreamError(f"{path} is no recording: expected a file, or a directory of rosbag2")
        with path.open("rb") as file:
            return file.read(max(map(len, _MAGICS)))


@contextlib.contextmanager
def _naming_reason(path: Path) -> Iterator[None]:
    """Raises StreamError for what the file system refuses."""
    try:
        yield
    except FileNotFoundError as error:
        raise StreamError(f"{path}: no such recording") from error
    except OSError as error:
        raise StreamError(f"{path} cannot be read: {error.strerror or error}") from error
