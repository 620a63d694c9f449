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
from edgefuse.runtime.messages.ros_types import KNOWN_DEFINITIONS
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.streams.bags import Topic, in_one_line

Decode: TypeAlias = Callable[[bytes], Any]

_DAMAGED = (McapError, zstandard.ZstdError, struct.error, ValueError, KeyError, IndexError, RuntimeError)
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # a message in CDR begins with a zero
_MOST_BYTES: Final = 1 << 30  # of one message; a head that is damaged must not eat the memory
_STAMPS: Final = {0: struct.Struct(">4xiI"), 1: struct.Struct("<4xiI")}  # by byte order; a header comes first


def decoder_of(topic: Topic, path: object) -> Decode:
    """What decodes the messages of a topic of the bag at `path`; raises SampleError for one that is damaged.

    Raises StreamError itself where nothing says what they hold.
    """
    if topic.encoding != MessageEncoding.CDR:
        raise StreamError(f"{path}: {topic.name} is encoded as {topic.encoding!r}, expected cdr")
    definition = topic.definition or KNOWN_DEFINITIONS.get(topic.type)
    if definition is None:
        raise StreamError(
            f"{path} does not say what a {topic.type} holds, so {topic.name} cannot be read: convert it to MCAP "
            "(`ros2 bag convert`) where that package is installed"
        )
    schema = Schema(1, definition.encode(), SchemaEncoding.ROS2, topic.type)
    try:
        with redirect_stderr(StringIO()):  # where the parser prints what it raises as well
            decode = DecoderFactory().decoder_for(topic.encoding, schema)
    except Exception as error:  # whatever the parser of definitions raises is the file's fault
        raise StreamError(f"{path}: the definition of {topic.type} cannot be read: {in_one_line(error)}") from error
    assert decode is not None, "cdr and ros2msg"
    return lambda data: _decoded(decode, data)


def own_stamp_ns(data: bytes) -> int | None:
    """The stamp in the header of a message that begins with one; None where it is zero, or damaged.

    `data` may be compressed.
    """
    try:
        plain = _plain(data)
        seconds, nanoseconds = _STAMPS[plain[1] & 1].unpack_from(plain)
    except _DAMAGED:
        return None
    return int(seconds) * NS_PER_S + int(nanoseconds) or None


def _decoded(decode: Decode, data: bytes) -> Any:
    try:
        return decode(_plain(data))
    except _DAMAGED as error:
        raise SampleError(f"cannot be decoded: {in_one_line(error)}") from error


def _plain(data: bytes) -> bytes:
    """The message as it was before rosbag2 compressed it (`--compression-mode message`), where it did."""
    if not data.startswith(_ZSTD_MAGIC):
        return data
    if not 0 <= zstandard.frame_content_size(data) <= _MOST_BYTES:
        raise ValueError("it says that it is larger than any message")
    return zstandard.ZstdDecompressor().decompress(data)
