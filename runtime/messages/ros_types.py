"""The ROS 2 message types that are written and read here, with their definitions as MCAP wants them (`ros2msg`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MSG_INSTALLED = Path(__file__).parent / "msg"
_MSG_SOURCE = Path(__file__).resolve().parents[2] / "ros_nodes" / "edgefuse_msgs" / "msg"
_MSG_DIRECTORY = _MSG_INSTALLED if _MSG_INSTALLED.is_dir() else _MSG_SOURCE
_STANDARD = {
    "builtin_interfaces/Time": "int32 sec\nuint32 nanosec\n",
    "std_msgs/Header": "builtin_interfaces/Time stamp\nstring frame_id\n",
    "std_msgs/String": "string data\n",
    "std_msgs/MultiArrayDimension": "string label\nuint32 size\nuint32 stride\n",
    "std_msgs/MultiArrayLayout": "std_msgs/MultiArrayDimension[] dim\nuint32 data_offset\n",
    "std_msgs/UInt8MultiArray": "std_msgs/MultiArrayLayout layout\nuint8[] data\n",
    "sensor_msgs/CompressedImage": "std_msgs/Header header\nstring format\nuint8[] data\n",
    "sensor_msgs/Image": (
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\n"
        "uint8[] data\n"
    ),
    # Of ros-drivers, whose messages have been the same in every distribution.
    "audio_common_msgs/AudioData": "uint8[] data\n",
    "audio_common_msgs/AudioDataStamped": "std_msgs/Header header\naudio_common_msgs/AudioData audio\n",
    "audio_common_msgs/AudioInfo": (
        "uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\nstring coding_format\n"
    ),
}


@dataclass(frozen=True, slots=True)
class MessageType:
    """A message's type, and its definition followed by those of the types in it."""

    name: str
    definition: str


def _message_type(name: str, *parts: str) -> MessageType:
    """The type `package/Name`, whose fields are of the types `parts` besides numbers and strings."""
    separator = "=" * 80
    definitions = [f"{separator}\nMSG: {part}\n{_definition(part)}" for part in parts]
    package, short = name.split("/")
    return MessageType(f"{package}/msg/{short}", "".join([_definition(name), *definitions]))


def _definition(name: str) -> str:
    package, short = name.split("/")
    if package == "edgefuse_msgs":
        return (_MSG_DIRECTORY / f"{short}.msg").read_text(encoding="utf-8")
    return _STANDARD[name]


_HEADER = ("std_msgs/Header", "builtin_interfaces/Time")
COMPRESSED_IMAGE = _message_type("sensor_msgs/CompressedImage", *_HEADER)
IMAGE = _message_type("sensor_msgs/Image", *_HEADER)
AUDIO_CHUNK = _message_type("edgefuse_msgs/AudioChunk", *_HEADER)
SIGNAL = _message_type("edgefuse_msgs/Signal", *_HEADER)
STRING = _message_type("std_msgs/String")
PERCEPT = _message_type("edgefuse_msgs/Percept", *_HEADER, "edgefuse_msgs/Sense", "edgefuse_msgs/Trace")

KNOWN_DEFINITIONS: Final = {
    known.name: known.definition
    for known in (
        COMPRESSED_IMAGE,
        IMAGE,
        AUDIO_CHUNK,
        SIGNAL,
        STRING,
        _message_type("std_msgs/UInt8MultiArray", "std_msgs/MultiArrayLayout", "std_msgs/MultiArrayDimension"),
        _message_type("audio_common_msgs/AudioData"),
        _message_type("audio_common_msgs/AudioDataStamped", *_HEADER, "audio_common_msgs/AudioData"),
        _message_type("audio_common_msgs/AudioInfo"),
    )
}
"""By the type's name; for bags that do not say it themselves, such as those that Humble wrote with sqlite3."""
