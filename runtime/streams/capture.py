"""Opening a camera with OpenCV: which kind of source it is, what was wanted of it, and what it really gives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np

from edgefuse.runtime.errors import SampleError, StreamError, address_shown, is_utf_8
from edgefuse.runtime.files.limits import FRAME_PIXELS
from edgefuse.runtime.files.pictures import decode_picture
from edgefuse.runtime.streams.ffmpeg_options import ffmpeg_options
from edgefuse.runtime.streams.opencv_log import SILENT, set_log_level
from edgefuse.runtime.streams.v4l2 import cameras

# OpenCV reads these when it first opens such a source. A camera that stalls would block for 10 s; FFmpeg would print a
# line at each try to reconnect, which the watchdog has said already.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

OPEN_TIMEOUT_MS = 2000
READ_TIMEOUT_MS = 1500
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
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
    """Where a camera is and how OpenCV gets at it. `insecure`: by TLS, also where its certificate proves nothing."""

    kind: Literal["v4l2", "url", "file", "gstreamer"]
    address: int | str
    backend: int
    insecure: bool = False

    @property
    def name(self) -> str:
        """What messages call it; without credentials."""
        return f"camera {address_shown(str(self.address))}"


def camera_source(device: int | str | Path, insecure: bool = False) -> CameraSource:
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
    if " ! " in text and not Path(text).exists():  # it may name a URL
        return CameraSource("gstreamer", text, cv2.CAP_GSTREAMER)
    if "://" in text:
        _check_url(text)
        return CameraSource("url", text, cv2.CAP_FFMPEG, insecure)
    return CameraSource("file", text, cv2.CAP_FFMPEG)


class Capture(Protocol):
    """What gives pictures, one after another, from when it was opened until it is closed."""

    @property
    def format(self) -> CameraFormat:
        """What it says it gives."""
        ...

    def grab(self) -> int | None:
        """Wait for the next frame; when it was sensed, by its driver's or its file's own clock [ns], if that says so.

        Raises SampleError for a frame of no use, StreamError where no more come, EndOfFileError at the end of a file.
        """
        ...

    def retrieve(self) -> np.ndarray:
        """The frame that was grabbed, uint8 (height, width, 3), BGR; raises SampleError if it cannot be decoded."""
        ...

    def close(self) -> None:
        """Let go of it; may be called twice."""
        ...


class OpenCvCapture:
    """A local camera, a pipeline, or what FFmpeg receives from a URL. Raises StreamError if it cannot be opened."""

    def __init__(self, source: CameraSource, wanted: CameraFormat, options: Mapping[str, str] = _NONE) -> None:
        """`options` are FFmpeg's."""
        self._source = source
        self._capture = open_capture(source, wanted, options)
        self.format = read_back(self._capture, source)
        if (refusal := FRAME_PIXELS.refusal((self.format.width or 0) * (self.format.height or 0))) is not None:
            self.close()
            raise StreamError(f"{source.name} is {self.format.width} x {self.format.height}: {refusal}")
        # FFmpeg would scale a changed picture to the old size, and fill up half a one: decode JPEG here.
        network_jpeg = source.kind == "url" and self.format.pixel_format == "MJPG"
        self._as_jpeg = network_jpeg and self._capture.set(cv2.CAP_PROP_FORMAT, -1)

    def grab(self) -> int | None:
        """See Capture."""
        if not self._capture.grab():
            raise StreamError(f"{self._source.name} sends no more frames: it is gone, or has stalled")
        return round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6) if self._source.kind == "v4l2" else None

    def retrieve(self) -> np.ndarray:
        """See Capture."""
        there, image = self._capture.retrieve()
        if not there:
            raise SampleError("is a frame that OpenCV cannot make a picture of")
        return decode_picture(image.ravel()) if self._as_jpeg else np.asarray(image)

    def close(self) -> None:
        """See Capture."""
        self._capture.release()


def open_capture(source: CameraSource, wanted: CameraFormat, options: Mapping[str, str]) -> cv2.VideoCapture:
    """An open capture with the wanted settings tried; raises StreamError that says what there is instead."""
    if source.kind == "gstreamer" and not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise StreamError(
            f"{source.name}: this OpenCV is built without GStreamer; give a URL or a device, or install another OpenCV"
        )
    capture = cv2.VideoCapture()
    level = set_log_level(SILENT)  # what fails is raised below, in one line
    try:
        with ffmpeg_options(options) if source.kind == "url" else nullcontext():
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
    exposure = capture.get(cv2.CAP_PROP_EXPOSURE) if source.kind == "v4l2" else 0.0
    return CameraFormat(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)) or None,
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) or None,
        rate_hz=max(0.0, capture.get(cv2.CAP_PROP_FPS)) or None,
        pixel_format=pixel_format_of(capture),
        exposure_ms=exposure / _V4L2_EXPOSURE_PER_MS if exposure > 0 else None,
        buffers=int(capture.get(cv2.CAP_PROP_BUFFERSIZE)) or None if source.kind == "v4l2" else None,
    )


def pixel_format_of(capture: cv2.VideoCapture) -> str | None:
    """The four characters of its codec or pixel format; None if it does not say."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    if not 0 < code < 2**32:
        return None
    return code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")


def refused(wanted: CameraFormat, given: CameraFormat) -> list[str]:
    """The settings that the device did not take, in words; a rate or exposure within 5 % is taken."""
    words = []
    for name in (field.name for field in fields(wanted)):
        want, got = getattr(wanted, name), getattr(given, name)
        near = isinstance(want, float) and got is not None and abs(want - got) <= 0.05 * want
        if want is not None and want != got and not near:
            words.append(f"{name} {want} asked, {got} given")
    return words


def _check_url(url: str) -> None:
    try:
        urlsplit(url).port  # noqa: B018
    except ValueError:
        raise StreamError(
            f"camera {address_shown(url)}: this is no URL; in a password, / is written %2F, ? %3F, # %23, @ %40, [ %5B"
        ) from None  # which quotes the password


def _timeouts(source: CameraSource) -> list[int]:
    if source.kind not in ("url", "gstreamer"):
        return []
    return [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]


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
    if source.kind == "v4l2":
        offers = ", ".join(map(str, cameras())) or "no camera at all"
        return f"{source.name} cannot be opened (not there, in use, or not permitted); there is: {offers}"
    return f"{source.name} cannot be opened: it did not answer within {OPEN_TIMEOUT_MS / 1e3:g} s, or not with video"
