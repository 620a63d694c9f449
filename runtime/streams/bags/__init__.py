"""Bags: what a robot recorded, in MCAP or sqlite3 files, whole or cut off, read without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_MOST_SAID = 200
_CDR = "cdr"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a bag; `type` is like `sensor_msgs/msg/Image`.

    `encoding` is how its messages are serialized (`cdr`), `definition` what they hold (`ros2msg`), empty where the bag
    does not say it. What others than ROS 2 recorded has their name of its type. `metadata` is what its writer noted
    besides.
    """

    name: str
    type: str
    encoding: str
    definition: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_ros2(self) -> bool:
        """Whether its messages are of ROS 2, and not such as Foxglove's (Protobuf, JSON) or those of ROS 1."""
        return self.encoding == _CDR and self.type.count("/") == 2

    def is_like(self, other: Topic) -> bool:
        """Whether messages of both are decoded alike, as far as is known."""
        alike = (self.type, self.encoding) == (other.type, other.encoding)
        return alike and (self.definition == other.definition or not self.definition or not other.definition)


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as it was stored; `log_ns` is when the recorder took it [ns since the epoch]."""

    topic: str
    log_ns: int
    data: bytes


def by_name(topics: Iterable[Topic]) -> dict[str, Topic]:
    """The first of each name, of those of ROS 2 where there is one."""
    found: dict[str, Topic] = {}
    for topic in sorted(topics, key=lambda topic: not topic.of_ros2):
        found.setdefault(topic.name, topic)
    return found


def in_one_line(error: Exception) -> str:
    """What a library says of a file that is damaged, which may quote it at length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]} ..."


class BagFile(Protocol):
    """One file of a bag."""

    path: Path
    topics: dict[str, Topic]

    def messages(self, topics: Mapping[str, Topic]) -> Iterator[RawMessage]:
        """Those of these topics, by their names, as far as they are decoded alike, in the order of their storage.

        Raises StreamError where the file is damaged.
        """
        ...
