"""Bags as other programs of a robot write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from edgefuse.runtime import AudioChunk

EPOCH_NS = 1_760_000_000_123_456_789
MS = 1_000_000

# The messages of ros-drivers/audio_common (ROS 2 branch), and of mgonzs13/audio_common under a name of their own.
ROS_DRIVERS = {
    "audio_common_msgs/msg/AudioData": "uint8[] data",
    "audio_common_msgs/msg/AudioDataStamped": "std_msgs/Header header\naudio_common_msgs/AudioData audio",
    "audio_common_msgs/msg/AudioInfo": (
        "uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\nstring coding_format"
    ),
}
MGONZS13 = {
    "audio_common_msgs/msg/AudioData": "float32[] float32_data\nint32[] int32_data\nint16[] int16_data",
    "audio_common_msgs/msg/AudioInfo": "int32 format\nint32 channels\nint32 rate\nint32 chunk",
    "audio_common_msgs/msg/Audio": "audio_common_msgs/AudioData audio_data\naudio_common_msgs/AudioInfo info",
    "audio_common_msgs/msg/AudioStamped": "std_msgs/Header header\naudio_common_msgs/Audio audio",
}


AUDIO_CHUNK = (Path(__file__).parents[3] / "ros_nodes" / "edgefuse_msgs" / "msg" / "AudioChunk.msg").read_text()


class Bag:
    """A rosbag2 of a robot, written by rosbags, which shares nothing with us."""

    def __init__(self, path: Path, definitions=()):
        self.path = path
        self.store = get_typestore(Stores.ROS2_JAZZY)
        for name, text in dict(definitions).items():
            self.store.register(get_types_from_msg(text, name))
        self.writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self.writer.open()
        self.connections = {}

    def make(self, name: str, **fields):
        return self.store.types[name](**fields)

    def header(self, stamp_ns: int):
        stamp = self.make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id="somewhere")

    def add(self, topic: str, log_ns: int, name: str, **fields) -> None:
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, name, typestore=self.store)
        data = self.store.serialize_cdr(self.make(name, **fields), name)
        self.writer.write(self.connections[topic], log_ns, data)

    def image(self, topic: str, ms: float, image: np.ndarray, encoding: str = "rgb8", padding: int = 0, late_ms=15):
        rows = np.pad(image.reshape(len(image), -1), ((0, 0), (0, padding)))
        stamp_ns = EPOCH_NS + round(ms * MS)
        self.add(
            topic, stamp_ns + late_ms * MS, "sensor_msgs/msg/Image", header=self.header(stamp_ns), height=len(image),
            width=image.shape[1], encoding=encoding, is_bigendian=0, step=rows.shape[1], data=rows.reshape(-1),
        )  # fmt: skip

    def compressed(self, topic: str, ms: float, data: bytes, form: str = "rgb8; jpeg compressed bgr8"):
        stamp_ns = EPOCH_NS + round(ms * MS)
        self.add(
            topic, stamp_ns, "sensor_msgs/msg/CompressedImage", header=self.header(stamp_ns), format=form,
            data=np.frombuffer(data, np.uint8),
        )  # fmt: skip

    def info(self, topic: str, sample_format: str, channels: int = 1) -> None:
        self.add(
            topic, EPOCH_NS, "audio_common_msgs/msg/AudioInfo", channels=channels, sample_rate=16_000,
            sample_format=sample_format, bitrate=0, coding_format="wave",
        )  # fmt: skip

    def close(self) -> Path:
        self.writer.close()
        return next(self.path.glob("*.mcap"))


def bgr_picture() -> np.ndarray:
    """Blue above, green in the middle, red below."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :, 0] = image[16:32, :, 1] = image[32:, :, 2] = 200
    return image


def tone(rate_hz: int, seconds: float, channels: int = 1) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * seconds)) / rate_hz)
    return np.tile(wave[:, None], (1, channels))


def as_int16(wave: np.ndarray) -> np.ndarray:
    return np.frombuffer((wave * 32767).astype("<i2").tobytes(), np.uint8)


def pcm_of(samples) -> np.ndarray:
    return np.concatenate([sample.pcm for sample in samples if isinstance(sample, AudioChunk)])


def pitch_hz(pcm: np.ndarray, rate_hz: int = 16_000) -> float:
    return float(np.abs(np.fft.rfft(pcm)).argmax() * rate_hz / len(pcm))
