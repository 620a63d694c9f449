"""What the schemas and channels of an MCAP file say of its topics, gathered as they come, within limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mcap.exceptions import McapError
from mcap.records import Channel, Schema
from mcap.well_known import SchemaEncoding

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.files.limits import TOPICS_BYTES
from edgefuse.runtime.streams.bags import Topic

_OF_ROS2: Final = (SchemaEncoding.ROS2, "ros2idl", "")  # rosbag2 says nothing where it did not find the package
_NAME: Final = re.compile(r"(?P<package>\w+)/(\w+/)?(?P<name>\w+)")


class TopicTable:
    """`channels`: the topic of each channel. A topic of others (Protobuf, JSON) has the name of its schema as its type.

    Raises McapError for a number that is given twice, StreamError for more than the limit.
    """

    def __init__(self, path: Path) -> None:
        self.channels: dict[int, Topic] = {}
        self._path = path
        self._schemas: dict[int, Schema] = {}
        self._bytes = 0

    def add(self, record: Schema | Channel) -> None:
        """Take note of one; what repeats is nothing new."""
        if isinstance(record, Schema):
            self._add_schema(record)
        else:
            self._add_channel(record)

    def _add_schema(self, schema: Schema) -> None:
        known = self._schemas.setdefault(schema.id, schema)
        if known is schema:
            self._count(len(schema.name) + len(schema.data))
        elif known != schema:
            raise McapError(f"two of its types have the number {schema.id}")

    def _add_channel(self, channel: Channel) -> None:
        topic = _topic(channel, self._schemas.get(channel.schema_id))
        known = self.channels.setdefault(channel.id, topic)
        if known is topic:
            self._count(len(topic.name) + sum(len(key) + len(value) for key, value in topic.metadata.items()))
        elif known != topic:
            raise McapError(f"two of its topics have the number {channel.id}")

    def _count(self, size: int) -> None:
        self._bytes += size
        refusal = TOPICS_BYTES.refusal(self._bytes)
        if refusal is not None:
            raise StreamError(f"{self._path}: what it says of its topics has {refusal}")


def _topic(channel: Channel, schema: Schema | None) -> Topic:
    if schema is None:
        return Topic(channel.topic, "", channel.message_encoding, "", channel.metadata)
    definition = schema.data.decode(errors="replace") if schema.encoding == SchemaEncoding.ROS2 else ""
    return Topic(channel.topic, _type_of(schema), channel.message_encoding, definition, channel.metadata)


def _type_of(schema: Schema) -> str:
    """As ROS 2 writes it, `package/msg/Name`, where it is of ROS 2; older recorders leave out the middle."""
    named = _NAME.fullmatch(schema.name) if schema.encoding in _OF_ROS2 else None
    return f"{named['package']}/msg/{named['name']}" if named else schema.name
