"""ROS 2 audio messages as sound: edgefuse_msgs, and the two families called audio_common_msgs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgefuse.runtime.errors import SampleError, StreamError

AUDIO_CHUNK: Final = "edgefuse_msgs/msg/AudioChunk"
AUDIO_DATA: Final = "audio_common_msgs/msg/AudioData"
AUDIO_DATA_STAMPED: Final = "audio_common_msgs/msg/AudioDataStamped"
AUDIO_STAMPED: Final = "audio_common_msgs/msg/AudioStamped"
AUDIO_INFO: Final = "audio_common_msgs/msg/AudioInfo"
UINT8_ARRAY: Final = "std_msgs/msg/UInt8MultiArray"
# Whose format is told by an AudioInfo on another topic.
FORMAT_ELSEWHERE: Final = (AUDIO_DATA, AUDIO_DATA_STAMPED, UINT8_ARRAY)
# Whose messages do not say when they were sensed.
UNSTAMPED: Final = (AUDIO_DATA, UINT8_ARRAY)
# Name -> how a sample is stored, which value of it is silence, and how far full scale is from there.
_ENCODINGS: Final[dict[str, tuple[np.dtype[Any], int, float]]] = {
    "S8": (np.dtype("i1"), 0, 2.0**7),
    "U8": (np.dtype("u1"), 128, 2.0**7),
    "S16LE": (np.dtype("<i2"), 0, 2.0**15),
    "S32LE": (np.dtype("<i4"), 0, 2.0**31),
    "F32LE": (np.dtype("<f4"), 0, 1.0),
}
# The arrays of an AudioStamped, of which one is filled.
_ARRAYS: Final = {
    "float32_data": "F32LE",
    "int16_data": "S16LE",
    "int32_data": "S32LE",
    "int8_data": "S8",
    "uint8_data": "U8",
}


@dataclass(frozen=True, slots=True)
class Sound:
    """A block of sound, float32 (samples, channels) in -1..1; `index` counts samples, None where nobody did.

    Raises SampleError for a rate that cannot be.
    """

    pcm: np.ndarray
    rate_hz: int
    index: int | None

    def __post_init__(self) -> None:
        if self.rate_hz <= 0:
            raise SampleError(f"says that its rate is {self.rate_hz} Hz")


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """What messages without a format of their own hold; the default is what ROS drivers capture."""

    rate_hz: int = 16_000
    channels: int = 1
    encoding: str = "S16LE"


def sound_from_message(message: Any, type_name: str, form: SoundFormat) -> Sound:
    """A message of one of the types above; `form` is that of the types in FORMAT_ELSEWHERE."""
    if type_name in FORMAT_ELSEWHERE:
        return sound_from_audio_data(message, form)
    return sound_from_audio_chunk(message) if type_name == AUDIO_CHUNK else sound_from_audio_stamped(message)


def format_from_audio_info(message: Any) -> SoundFormat:
    """An audio_common_msgs/AudioInfo; StreamError if the sound is coded (mp3)."""
    if message.coding_format.lower() not in ("", "wave", "raw", "pcm"):
        raise StreamError(f"the sound is coded as {message.coding_format!r}; expected wave (capture it uncompressed)")
    return SoundFormat(message.sample_rate, message.channels, message.sample_format.upper())


def sound_from_audio_chunk(message: Any) -> Sound:
    """An edgefuse_msgs/AudioChunk."""
    pcm = _pcm(message.data, SoundFormat(message.sample_rate, message.channels, message.encoding))
    return Sound(pcm, message.sample_rate, message.index)


def sound_from_audio_data(message: Any, form: SoundFormat) -> Sound:
    """An audio_common_msgs/AudioData or AudioDataStamped of ros-drivers, or a std_msgs/UInt8MultiArray.

    Their format is told elsewhere.
    """
    data = message.audio if hasattr(message, "audio") else message
    return Sound(_pcm(data.data, form), form.rate_hz, None)


def sound_from_audio_stamped(message: Any) -> Sound:
    """An audio_common_msgs/AudioStamped that carries its format (`audio.info`) and an array for each sample type."""
    info = message.audio.info
    data = getattr(message.audio, "audio_data", None) or message.audio.audio
    for name, encoding in _ARRAYS.items():
        values = _values(getattr(data, name, ()), encoding)
        if values.size:
            return Sound(_by_channel(_scaled(values, encoding), info.channels), info.rate, None)
    raise SampleError("holds no float32, int16, int32, int8 or uint8 samples")


def _pcm(data: bytes, form: SoundFormat) -> np.ndarray:
    if form.encoding not in _ENCODINGS:
        raise StreamError(f"the sample format {form.encoding!r} is not known here; expected {', '.join(_ENCODINGS)}")
    itemsize = _ENCODINGS[form.encoding][0].itemsize
    if len(data) % itemsize:
        raise SampleError(f"holds {len(data)} bytes, which are no whole number of {form.encoding} samples")
    values = np.frombuffer(data, _ENCODINGS[form.encoding][0])
    return _by_channel(_scaled(values, form.encoding), form.channels)


def _values(data: Any, encoding: str) -> np.ndarray:
    """A field of numbers as an array: uint8[] is read from a file as bytes, others as lists, rclpy gives arrays."""
    dtype = _ENCODINGS[encoding][0]
    return np.frombuffer(data, dtype) if isinstance(data, bytes) else np.asarray(data, dtype)


def _scaled(values: np.ndarray, encoding: str) -> np.ndarray:
    """float32 in -1..1."""
    _, silence, full_scale = _ENCODINGS[encoding]
    scaled = values.astype(np.float32)
    return scaled if full_scale == 1 else (scaled - np.float32(silence)) / np.float32(full_scale)


def _by_channel(values: np.ndarray, channels: int) -> np.ndarray:
    if channels < 1 or len(values) % channels:
        raise SampleError(f"holds {len(values)} samples, which are no whole number of {channels} channels")
    return values.reshape(-1, channels)
