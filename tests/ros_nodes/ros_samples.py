"""Messages as drivers send them, good and bad."""

from __future__ import annotations

import array
from typing import Any

import numpy as np

# The camera node, for a perception node that nobody has told where images come from.
CAMERA = ("camera_node", "-r", "image_raw:=image")
BYTES_PER_PIXEL = {"bgr8": 3, "rgb8": 3, "mono8": 1, "bgra8": 4, "yuv422": 2, "16UC1": 2, "32FC1": 4}


def image(stamp: Any, encoding: str = "bgr8", width: int = 64, height: int = 48, **changed: object) -> Any:
    """A sensor_msgs/Image of noise; `changed` fields are set last."""
    from sensor_msgs.msg import Image

    step = width * BYTES_PER_PIXEL[encoding]
    pixels = np.random.default_rng(0).integers(0, 255, height * step, np.uint8)
    message = Image(width=width, height=height, encoding=encoding, step=step, data=array.array("B", pixels.tobytes()))
    message.header.stamp = stamp
    for name, value in changed.items():
        setattr(message, name, value)
    return message


def sound(stamp: Any, index: int, samples: np.ndarray | None = None, **changed: object) -> Any:
    """An edgefuse_msgs/AudioChunk of 20 ms of silence at 16 kHz, or of what is given."""
    from edgefuse_msgs.msg import AudioChunk

    pcm = np.zeros(320, np.float32) if samples is None else samples.astype(np.float32)
    message = AudioChunk(sample_rate=16_000, channels=1, encoding="F32LE", index=index)
    message.data = array.array("B", pcm.tobytes())
    message.header.stamp = stamp
    for name, value in changed.items():
        setattr(message, name, value)
    return message
