"""Bags: what a robot recorded, in MCAP or sqlite3 files, whole or cut off, read without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_MOST_SAID = 200


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of a bag; `type` is like `sensor_msgs/msg/Image`.

    `encoding` is how its messages are serialized (`cdr`), `definition` what they hold (`ros2msg`), empty where the bag
    does not say it. `metadata` is what its writer noted besides.
    """

    name: str
    type: str
    encoding: str
    definition: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as it was stored; `log_ns` is when the recorder took it [ns since the epoch]."""

    topic: str
    log_ns: int
    data: bytes


def by_name(topics: Iterable[Topic]) -> dict[str, Topic]:
    """The first of each name."""
    found: dict[str, Topic] = {}
    for topic in topics:
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

    def messages(self, types: Mapping[str, str]) -> Iterator[RawMessage]:
        """Those of these topics, each of the type said, in the order in which they were stored.

        Raises StreamError where the file is damaged.
        """
        ...
