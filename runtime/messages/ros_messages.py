"""Samples and percepts as ROS 2 messages.

Each converter `<message>_from_<source>` gives the bytes of one message. `ros_ns` is what to add to a stamp to get ROS
time [ns since the epoch]. Their types are in ros_types.py.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import cv2
import numpy as np

from edgefuse.runtime.messages.cdr import CdrBuilder
from edgefuse.runtime.percept import Percept, Sense
from edgefuse.runtime.samples import AudioChunk, Frame, Signal, Text

ImageFormat: TypeAlias = Literal["jpeg", "png", "raw"]

MODALITY_KEY = "edgefuse.modality"  # in the metadata of a recording's channel: the sense that its samples are of

_S16_SCALE = 32768
_NO_FLOATS = np.empty(0, np.float32)


def image_from_frame(frame: Frame, ros_ns: int) -> bytes:
    """A sensor_msgs/Image of the very pixels."""
    height, width = frame.image.shape[:2]
    message = CdrBuilder().header(frame.stamp_ns + ros_ns, frame.frame_id)
    message.number("uint32", height).number("uint32", width).string(frame.encoding)
    return message.number("uint8", 0).number("uint32", 3 * width).data(frame.image.tobytes()).content


def compressed_image_from_frame(
    frame: Frame, ros_ns: int, image_format: Literal["jpeg", "png"], jpeg_quality: int
) -> bytes:
    """A sensor_msgs/CompressedImage; `png` loses nothing, `jpeg_quality` is 1..100."""
    bgr = frame.image if frame.encoding == "bgr8" else cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    if image_format == "jpeg":
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    else:
        _, encoded = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    header = CdrBuilder().header(frame.stamp_ns + ros_ns, frame.frame_id)
    return header.string(image_format).data(encoded.tobytes()).content


def audio_chunk_from_chunk(chunk: AudioChunk, ros_ns: int, gap: int, frame_id: str) -> bytes:
    """An edgefuse_msgs/AudioChunk: int16 where that is exact (sound from a 16-bit source), else float32.

    `gap` samples were lost just before it.
    """
    encoding, data = _encoded_sound(chunk.pcm)
    header = CdrBuilder().header(chunk.stamp_ns + ros_ns, frame_id)
    header.number("uint32", chunk.rate_hz).number("uint8", 1).string(encoding)
    return header.number("uint64", chunk.index).number("uint64", gap).data(data).content


def signal_from_signal(signal: Signal, ros_ns: int, gap: int) -> bytes:
    """An edgefuse_msgs/Signal."""
    header = CdrBuilder().header(signal.stamp_ns + ros_ns, signal.modality)
    header.number("float64", signal.rate_hz).number("uint32", signal.values.shape[1])
    return header.number("uint64", signal.index).number("uint64", gap).floats(signal.values).content


def string_from_text(text: Text) -> bytes:
    """A std_msgs/String, which has no stamp."""
    return CdrBuilder().string(text.text).content


def percept_from_percept(percept: Percept, ros_ns: int, bundle_name: str, bundle_id: str) -> bytes:
    """An edgefuse_msgs/Percept."""
    message = CdrBuilder().header(percept.stamp_ns + ros_ns, percept.frame_id)
    message.string(percept.label).number("float32", percept.confidence)
    message.strings(list(percept.scores)).floats(np.array(list(percept.scores.values())))
    message.floats(_NO_FLOATS if percept.embedding is None else percept.embedding).number("uint32", len(percept.senses))
    for name, sense in percept.senses.items():
        _add_sense(message, name, sense)
    message.number("float32", _nan_if_none(percept.agreement)).number("bool", percept.contradiction)
    for milliseconds in (*percept.trace.stages_ms.values(), percept.trace.latency_ms):
        message.number("float64", milliseconds)
    message.string(bundle_name).string(bundle_id).number("bool", percept.certain is not None)
    message.number("bool", percept.certain is True)
    return message.number("bool", percept.far_prompt is True).content


def _add_sense(message: CdrBuilder, name: str, sense: Sense) -> None:
    message.string(name).number("bool", sense.valid).number("float32", _nan_if_none(sense.weight))
    message.number("float64", _nan_if_none(sense.age_ms))
    message.string(sense.label or "").number("float32", _nan_if_none(sense.confidence))


def _encoded_sound(pcm: np.ndarray) -> tuple[str, bytes]:
    scaled = pcm * np.float32(_S16_SCALE)
    if np.array_equal(scaled, np.rint(scaled)) and np.abs(scaled).max(initial=0) < _S16_SCALE:
        return "S16LE", scaled.astype("<i2").tobytes()
    return "F32LE", pcm.astype("<f4").tobytes()


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value
