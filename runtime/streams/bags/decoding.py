"""From the bytes of a message to what it holds."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from typing import Any, Final, TypeAlias

import zstandard
from mcap.exceptions import McapError
from mcap.records import Schema
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap_ros2.decoder import DecoderFactory

from edgefuse.runtime.errors import SampleError, StreamError
from edgefuse.runtime.files.limits import RECORD_BYTES, Limit
from edgefuse.runtime.messages.ros_sounds import UINT8_ARRAY
from edgefuse.runtime.messages.ros_stamps import ros_stamp_ns
from edgefuse.runtime.messages.ros_types import KNOWN_DEFINITIONS
from edgefuse.runtime.streams.bags import Topic, in_one_line
from edgefuse.runtime.streams.bags.definitions import check_definition
from edgefuse.runtime.streams.bags.packing import ZSTD_MAGIC, unpacked, unpacked_size

Decode: TypeAlias = Callable[[bytes], Any]

_DAMAGED = (McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, IndexError, RuntimeError)
_ALWAYS_ALIKE: Final = (UINT8_ARRAY,)  # which has a list, whose parts must be what they are
_STAMPS: Final = {0: struct.Struct(">4xiI"), 1: struct.Struct("<4xiI")}  # by byte order; a header comes first


def decoder_of(topic: Topic, path: object) -> Decode:
    """What decodes the messages of a topic of the bag at `path`; raises SampleError for one that is damaged.

    Raises StreamError itself where nothing says what they hold.
    """
    if topic.encoding != MessageEncoding.CDR:
        raise StreamError(f"{path}: {topic.name} is encoded as {topic.encoding!r}, expected cdr")
    own = "" if topic.type in _ALWAYS_ALIKE else topic.definition
    definition = own or KNOWN_DEFINITIONS.get(topic.type)
    if definition is None:
        raise StreamError(
            f"{path} does not say what a {topic.type} holds, so {topic.name} cannot be read: convert it to MCAP "
            "(`ros2 bag convert`) where that package is installed"
        )
    most = _checked(definition, topic, path)
    schema = Schema(1, definition.encode(), SchemaEncoding.ROS2, topic.type)
    try:
        with redirect_stderr(StringIO()):  # where the parser prints what it raises as well
            decode = DecoderFactory().decoder_for(topic.encoding, schema)
    except Exception as error:  # whatever the parser of definitions raises is the file's fault
        raise StreamError(f"{path}: the definition of {topic.type} cannot be read: {in_one_line(error)}") from error
    assert decode is not None, "cdr and ros2msg"
    return lambda data: _decoded(decode, data, most)


def own_stamp_ns(data: bytes) -> int | None:
    """The stamp in the header of a message that begins with one; None where it is zero, or damaged.

    `data` may be compressed.
    """
    try:
        plain = _plain(data, RECORD_BYTES)
        seconds, nanoseconds = _STAMPS[plain[1] & 1].unpack_from(plain)
        return ros_stamp_ns(seconds, nanoseconds)
    except (*_DAMAGED, SampleError):
        return None


class _Whole(bytes):
    """Bytes of which a part that reaches beyond their end is an error; Python's own give what there is."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and key.stop is not None and key.stop > len(self):
            raise IndexError(f"it says that it has at least {key.stop} bytes, but has {len(self)}")
        return super().__getitem__(key)


def _checked(definition: str, topic: Topic, path: object) -> Limit:
    try:
        return check_definition(definition, topic.type)
    except StreamError as error:
        raise StreamError(f"{path}: {topic.name} cannot be read: {error}") from error


def _decoded(decode: Decode, data: bytes, most: Limit) -> Any:
    try:
        return decode(_Whole(_plain(data, most)))
    except _DAMAGED as error:
        raise SampleError(f"cannot be decoded: {in_one_line(error)}") from error


def _plain(data: bytes, most: Limit) -> bytes:
    """The message as it was before rosbag2 compressed it (`--compression-mode message`), where it did.

    Raises SampleError for one of more than `most`.
    """
    packed = data.startswith(ZSTD_MAGIC)
    size = unpacked_size(data) if packed else len(data)
    refusal = most.refusal(size)
    if refusal is not None:
        raise SampleError(f"has {refusal}")
    return unpacked(data, "zstd", size) if packed else data
