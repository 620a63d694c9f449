"""Opening a camera with OpenCV: which kind of source it is, what was wanted of it, and what it really gives."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import cv2

from edgefuse.runtime.errors import StreamError, is_utf_8
from edgefuse.runtime.streams.opencv_log import SILENT, set_log_level
from edgefuse.runtime.streams.v4l2 import cameras

# OpenCV reads these when it first opens such a source. A camera that stalls would block for 10 s; FFmpeg would print a
# line at each try to reconnect, which the watchdog has said already.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_OPEN_TIMEOUT_MS = 2000
_READ_TIMEOUT_MS = 1500
_MOST_DIGITS = 9  # of an index; OpenCV takes an int
_MANUAL_EXPOSURE = 1
_V4L2_EXPOSURE_PER_MS = 10


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """What a camera is asked for, or what it says it gives; None where it is left to it, or it does not say.

    `pixel_format` is four characters, such as MJPG or YUYV; `buffers` counts the driver's frames in waiting.
    """

    width: int | None = None
    height: int | None = None
    rate_hz: float | None = None
    pixel_format: str | None = None
    exposure_ms: float | None = None
    buffers: int | None = None


@dataclass(frozen=True, slots=True)
class CameraSource:
    """Where a camera is and how OpenCV gets at it."""

    kind: Literal["v4l2", "url", "file", "gstreamer"]
    address: int | str
    backend: int

    @property
    def name(self) -> str:
        """What messages call it; without a password."""
        scheme, mark, rest = str(self.address).partition("://")
        return f"camera {scheme}{mark}{rest.rpartition('@')[2]}" if mark else f"camera {self.address}"


def camera_source(device: int | str | Path) -> CameraSource:
    """The source that a person means: an index, /dev/..., a URL, a GStreamer pipeline (with `!`), or a file.

    Raises StreamError for what OpenCV would crash on.
    """
    text = str(device)
    if not is_utf_8(text):
        raise StreamError(f"the camera {text} cannot be opened: its name is not in UTF-8")
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return CameraSource("v4l2", int(text), cv2.CAP_V4L2 if os.name == "posix" else cv2.CAP_ANY)
    if text.startswith("/dev/"):
        return CameraSource("v4l2", text, cv2.CAP_V4L2)
    if "://" in text:
        return CameraSource("url", text, cv2.CAP_FFMPEG)
    if " ! " in text:
        return CameraSource("gstreamer", text, cv2.CAP_GSTREAMER)
    return CameraSource("file", text, cv2.CAP_FFMPEG)


def open_capture(source: CameraSource, wanted: CameraFormat) -> cv2.VideoCapture:
    """An open capture with the wanted settings tried; raises StreamError that says what there is instead."""
    if source.kind == "gstreamer" and not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise StreamError(
            f"{source.name}: this OpenCV is built without GStreamer; give a URL or a device, or install another OpenCV"
        )
    capture = cv2.VideoCapture()
    level = set_log_level(SILENT)  # what fails is raised below, in one line
    try:
        capture.open(source.address, source.backend, _timeouts(source))
    finally:
        set_log_level(level)
    if not capture.isOpened():
        raise StreamError(_why_not(source))
    if source.kind in ("v4l2", "gstreamer"):
        _set(capture, wanted)
    return capture


def read_back(capture: cv2.VideoCapture, source: CameraSource) -> CameraFormat:
    """What the open device says it gives."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    exposure = capture.get(cv2.CAP_PROP_EXPOSURE) if source.kind == "v4l2" else 0.0
    return CameraFormat(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)) or None,
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) or None,
        rate_hz=max(0.0, capture.get(cv2.CAP_PROP_FPS)) or None,
        pixel_format=code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") if code > 0 else None,
        exposure_ms=exposure / _V4L2_EXPOSURE_PER_MS if exposure > 0 else None,
        buffers=int(capture.get(cv2.CAP_PROP_BUFFERSIZE)) or None if source.kind == "v4l2" else None,
    )


def refused(wanted: CameraFormat, given: CameraFormat) -> list[str]:
    """The settings that the device did not take, in words; a rate or exposure within 5 % is taken."""
    words = []
    for name in (field.name for field in fields(wanted)):
        want, got = getattr(wanted, name), getattr(given, name)
        near = isinstance(want, float) and got is not None and abs(want - got) <= 0.05 * want
        if want is not None and want != got and not near:
            words.append(f"{name} {want} asked, {got} given")
    return words


def _timeouts(source: CameraSource) -> list[int]:
    if source.kind not in ("url", "gstreamer"):
        return []
    return [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT_MS]


def _set(capture: cv2.VideoCapture, wanted: CameraFormat) -> None:
    """The pixel format first: it decides which sizes and rates there are."""
    if wanted.pixel_format is not None:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*wanted.pixel_format.ljust(4)[:4]))
    plain = {
        cv2.CAP_PROP_FRAME_WIDTH: wanted.width,
        cv2.CAP_PROP_FRAME_HEIGHT: wanted.height,
        cv2.CAP_PROP_FPS: wanted.rate_hz,
        cv2.CAP_PROP_BUFFERSIZE: wanted.buffers,
    }
    for setting, value in plain.items():
        if value is not None:
            capture.set(setting, value)
    if wanted.exposure_ms is not None:
        capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE)
        capture.set(cv2.CAP_PROP_EXPOSURE, wanted.exposure_ms * _V4L2_EXPOSURE_PER_MS)


def _why_not(source: CameraSource) -> str:
    if source.kind == "file":
        there = Path(source.address).is_file() if isinstance(source.address, str) else False
        return f"{source.address} is no video that can be read" if there else f"{source.address}: no such video file"
    if source.kind == "v4l2":
        offers = ", ".join(map(str, cameras())) or "no camera at all"
        return f"{source.name} cannot be opened (not there, in use, or not permitted); there is: {offers}"
    return f"{source.name} cannot be opened: it did not answer within {_OPEN_TIMEOUT_MS / 1e3:g} s, or not with video"
