"""ROS 2 image messages as frames: sensor_msgs Image and CompressedImage, decoded from a file or received by rclpy."""

from __future__ import annotations

import re
from typing import Any, Final, get_args

import cv2
import numpy as np

from edgefuse.runtime.errors import SampleError, StreamError
from edgefuse.runtime.files.limits import FRAME_PIXELS
from edgefuse.runtime.files.pictures import decode_picture
from edgefuse.runtime.files.png import BEGIN as PNG
from edgefuse.runtime.samples import Frame, FrameEncoding

_AS_THEY_ARE: Final = get_args(FrameEncoding)
# Encoding -> bytes per pixel, and OpenCV's conversion to BGR.
_TO_BGR: Final[dict[str, tuple[int, int]]] = {
    "8UC3": (3, -1),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "8UC4": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2BGR_YUY2),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2BGR),  # OpenCV names the pattern by its second row
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2BGR),
}
_DEEP: Final = re.compile(r"(16|32|64)[usf]c1|mono16")  # such as depth is
_MOST_SAID: Final = 60  # characters


def frame_from_image(message: Any, stamp_ns: int, sense: str) -> Frame:
    """A sensor_msgs/Image as a Frame; a view of the message's data where that is rgb8 or bgr8.

    Raises StreamError for an encoding that is no picture to us (depth, 16 bit), SampleError for data that do not fit
    the message's own size.
    """
    encoding = message.encoding
    if encoding in _AS_THEY_ARE:
        return Frame(stamp_ns, _pixels(message, 3), encoding, sense, message.header.frame_id)
    if encoding not in _TO_BGR:
        known = ", ".join([*_AS_THEY_ARE, *_TO_BGR])
        raise StreamError(f"the image encoding {_short(encoding)} is not known here; expected one of {known}")
    bytes_per_pixel, conversion = _TO_BGR[encoding]
    pixels = _pixels(message, bytes_per_pixel)
    try:
        image = pixels if conversion < 0 else cv2.cvtColor(pixels, conversion)
    except cv2.error as error:
        raise SampleError(f"is {encoding} of {message.width}x{message.height}, which cannot be: {error.err}") from error
    return Frame(stamp_ns, image, "bgr8", sense, message.header.frame_id)


def frame_from_compressed_image(message: Any, stamp_ns: int, sense: str) -> Frame:
    """A sensor_msgs/CompressedImage (JPEG, PNG or what else `decode_picture` knows) as a bgr8 Frame, as sensed.

    It is not turned as EXIF data ask: its camera_info would no longer fit.

    Raises StreamError for a depth image or a video codec, SampleError for what cannot be decoded, or is too large.
    """
    data = np.frombuffer(message.data, np.uint8)
    _check_format(message.format, data)
    return Frame(stamp_ns, decode_picture(data), "bgr8", sense, message.header.frame_id)


def _short(said: str) -> str:
    """What a message says of itself, in quotes and in one line, however long it is."""
    return repr(said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}...")


def _check_format(said: str, data: np.ndarray) -> None:
    """Raises StreamError for depth and video, by what the message says and by what a PNG says of itself."""
    form = said.lower()
    original, compressed, _ = form.partition(";")  # "16UC1; png compressed": what it was before it was compressed
    deep = compressed and _DEEP.fullmatch(original.strip())
    if deep or "compresseddepth" in form or form in ("h264", "h265", "hevc", "av1"):
        raise StreamError(f"the compressed image format {_short(said)} is not known here; expected jpeg or png")
    if data[:8].tobytes() == PNG and len(data) > 25 and (data[24], data[25]) == (16, 0):
        raise StreamError(f"the image of the format {_short(said)} is grey of 16 bit, as depth is; expected 8 bit")


def _pixels(message: Any, bytes_per_pixel: int) -> np.ndarray:
    """The picture without the padding at the end of its rows, uint8 (height, width[, bytes_per_pixel])."""
    height, width, step = message.height, message.width, message.step
    data = np.frombuffer(message.data, np.uint8)
    if height * width == 0 or step < width * bytes_per_pixel or len(data) != height * step:
        raise SampleError(
            f"says {width}x{height} {message.encoding} in rows of {step} bytes, but holds {len(data)} bytes"
        )
    if (refusal := FRAME_PIXELS.refusal(height * width)) is not None:
        raise SampleError(f"is {width}x{height}: {refusal}")
    rows = data.reshape(height, step)[:, : width * bytes_per_pixel]
    return rows.reshape(height, width, bytes_per_pixel) if bytes_per_pixel > 1 else np.ascontiguousarray(rows)
