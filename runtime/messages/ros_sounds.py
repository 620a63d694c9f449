"""ROS 2 audio messages as sound: edgefuse_msgs, and the two families called audio_common_msgs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgefuse.runtime.errors import SampleError, StreamError
from edgefuse.runtime.files.limits import sound_refusal
from edgefuse.runtime.samples import NS_PER_S

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
_TOGETHER_NS: Final = NS_PER_S // 4  # as Continuity has it: blocks that come further apart have a gap between them
# The arrays of an AudioStamped, of which one is filled.
_ARRAYS: Final = {
    "float32_data": "F32LE",
    "int16_data": "S16LE",
    "int32_data": "S32LE",
    "int8_data": "S8",
    "uint8_data": "U8",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sound:
    """A block of sound, float32 (samples, channels) in -1..1; `index` counts samples, None where nobody did.

    `left` are the bytes behind it that are no sample of all channels any more. Raises SampleError for a rate or a
    number of channels that cannot be.
    """

    pcm: np.ndarray
    rate_hz: int
    index: int | None
    left: bytes = b""

    def __post_init__(self) -> None:
        refusal = sound_refusal(self.rate_hz, self.pcm.shape[1])
        if refusal is not None:
            raise SampleError(f"says {refusal}")


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """What messages without a format of their own hold; the default is what ROS drivers capture."""

    rate_hz: int = 16_000
    channels: int = 1
    encoding: str = "S16LE"


class SoundReader:
    """Reads the messages of one topic, in their order; `form` is that of the types in FORMAT_ELSEWHERE.

    Messages need not end with a whole sample. Those that do not say how they are encoded are a stream of bytes, cut
    anywhere: what is left over goes to the next one, unless there is a gap. Those that say it stand for themselves,
    and what is left over is left out. Either is logged once; `name` is whose messages they are.
    """

    def __init__(self, type_name: str, form: SoundFormat, name: str) -> None:
        self.in_pieces = type_name in FORMAT_ELSEWHERE
        self.form = form
        self._type = type_name
        self._name = name
        self._left = b""
        self._until_ns = 0
        self._said = False

    def restart(self) -> None:
        """The next message has nothing to do with those before."""
        self._left = b""

    def sound(self, message: Any, stamp_ns: int) -> Sound:
        """Of a message, perhaps of no sample yet where it is a piece; SampleError for one that is not as it says."""
        if self._type == AUDIO_CHUNK:
            return sound_from_audio_chunk(message)
        if not self.in_pieces:
            return sound_from_audio_stamped(message)
        goes_on = abs(stamp_ns - self._until_ns) <= _TOGETHER_NS
        return sound_from_audio_data(message, self.form, self._left if goes_on else b"")

    def accept(self, sound: Sound, stamp_ns: int) -> None:
        """That was used; what is left over of it belongs to the next one. One that was refused leaves nothing."""
        self._left = sound.left
        self._until_ns = stamp_ns + len(sound.pcm) * NS_PER_S // sound.rate_hz
        if sound.left and not self._said:
            self._say(len(sound.left))

    def _say(self, left: int) -> None:
        self._said = True
        what = "go on in the next one" if self.in_pieces else "are left out"
        log.warning("%s: a message ends with %d bytes that are no whole sample: such %s", self._name, left, what)


def format_from_audio_info(message: Any) -> SoundFormat:
    """An audio_common_msgs/AudioInfo; StreamError if the sound is coded (mp3)."""
    if message.coding_format.lower() not in ("", "wave", "raw", "pcm"):
        raise StreamError(f"the sound is coded as {message.coding_format!r}; expected wave (capture it uncompressed)")
    return SoundFormat(message.sample_rate, message.channels, message.sample_format.upper())


def sound_from_audio_chunk(message: Any) -> Sound:
    """An edgefuse_msgs/AudioChunk."""
    form = SoundFormat(message.sample_rate, message.channels, message.encoding)
    return _sound(message.data, form, message.index)


def sound_from_audio_data(message: Any, form: SoundFormat, before: bytes = b"") -> Sound:
    """An audio_common_msgs/AudioData or AudioDataStamped of ros-drivers, or a std_msgs/UInt8MultiArray.

    Their format is told elsewhere. What was left over of the message `before` comes first.
    """
    if form.encoding not in _ENCODINGS:
        raise StreamError(_not_known(form.encoding))
    data = (message.audio if hasattr(message, "audio") else message).data
    return _sound(before + bytes(data) if before else data, form, None)


def sound_from_audio_stamped(message: Any) -> Sound:
    """An audio_common_msgs/AudioStamped that carries its format (`audio.info`) and an array for each sample type."""
    info = message.audio.info
    data = getattr(message.audio, "audio_data", None) or message.audio.audio
    for name, encoding in _ARRAYS.items():
        values = getattr(data, name, ())
        if len(values):
            # uint8[] is read from a file as bytes, others as lists, rclpy gives arrays.
            dtype = _ENCODINGS[encoding][0]
            content = values if isinstance(values, bytes) else np.asarray(values, dtype).data.cast("B")
            return _sound(content, SoundFormat(info.rate, info.channels, encoding), None)
    raise SampleError("holds no float32, int16, int32, int8 or uint8 samples")


def _sound(data: Any, form: SoundFormat, index: int | None) -> Sound:
    """Of the bytes of any array; raises SampleError for a form that is not known or cannot be."""
    if form.encoding not in _ENCODINGS:
        raise SampleError(f"is of no use: {_not_known(form.encoding)}")
    if form.channels < 1:
        raise SampleError(f"says {form.channels} channels")
    dtype, silence, full_scale = _ENCODINGS[form.encoding]
    content = memoryview(data).cast("B") if len(data) else memoryview(b"")
    whole = len(content) - len(content) % (dtype.itemsize * form.channels)
    pcm = np.frombuffer(content[:whole], dtype).astype(np.float32)
    if full_scale != 1:
        pcm = (pcm - np.float32(silence)) / np.float32(full_scale)
    return Sound(pcm.reshape(-1, form.channels), form.rate_hz, index, bytes(content[whole:]))


def _not_known(encoding: str) -> str:
    return f"the sample format {encoding[:20]!r} is not known here; expected {', '.join(_ENCODINGS)}"
