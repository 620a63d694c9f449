"""The camera: always the newest frame, stamped when it was grabbed."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edgefuse.runtime.arguments import check_kind, number_in, whole_in
from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.samples import NS_PER_S, Frame
from edgefuse.runtime.streams.capture import CameraFormat, CameraSource, camera_source, open_capture, read_back, refused
from edgefuse.runtime.streams.device_stream import DeviceStream
from edgefuse.runtime.streams.watchdog import Patience

_MOST_DEVICES = 10_000
_WAITED_NS = 2_000_000
_DRAIN_NS = NS_PER_S // 2
_OLDEST_DRIVER_STAMP_NS = NS_PER_S
_END_OF_JPEG = b"\xff\xd9"

log = logging.getLogger(__name__)


class Camera(DeviceStream[Frame]):
    """Yields the newest Frame (rgb8) whenever it is asked; comes back by itself when the device does.

    `device` is an index, a path such as /dev/v4l/by-id/..., a URL (RTSP, HTTP), a GStreamer pipeline, or a video file,
    which is played in real time and ends. What else is given is asked of a local device; `format` is what it gives.
    `modality` is the sense that it is of, `frame_id` the coordinate frame that it sees in. Frames that waited in the
    driver while it was opened are skipped, halves of a JPEG are dropped and counted.
    """

    def __init__(
        self,
        device: int | str | Path = 0,
        width: int | None = None,
        height: int | None = None,
        rate_hz: float | None = None,
        pixel_format: str | None = None,
        exposure_ms: float | None = None,
        buffers: int | None = None,
        patience: Patience | None = None,
        modality: str = "image",
        frame_id: str = "",
    ) -> None:
        check_kind("device", device, int, str, Path)
        if isinstance(device, int):
            whole_in("device", device, 0, _MOST_DEVICES)
        check_kind("pixel_format", pixel_format, str, None)
        check_kind("patience", patience, Patience, None)
        check_kind("modality", modality, str)
        check_kind("frame_id", frame_id, str)
        most = {"width": 65_536, "height": 65_536, "rate_hz": 10_000, "exposure_ms": 60_000, "buffers": 1000}
        asked = {"width": width, "height": height, "rate_hz": rate_hz, "exposure_ms": exposure_ms, "buffers": buffers}
        for name, value in asked.items():
            if value is not None:
                number_in(name, value, 0.001, most[name])
        wanted = CameraFormat(width, height, rate_hz, pixel_format, exposure_ms, buffers)
        self._grabber = Grabber(camera_source(device), wanted, modality, frame_id)
        super().__init__(self._grabber, 1, patience)

    @property
    def format(self) -> CameraFormat:
        """What the device said it gives when it was last opened, and the size of its last frame."""
        return self._grabber.format

    @property
    def network(self) -> bool:
        """Whether it is a URL; then the rate in `format` is a guess of FFmpeg's."""
        return self._grabber.network

    @property
    def broken(self) -> int:
        """Frames that could not be decoded, such as halves of a JPEG."""
        return self._grabber.broken


class Grabber:
    """The Device behind a Camera."""

    def __init__(self, source: CameraSource, wanted: CameraFormat, modality: str, frame_id: str) -> None:
        self.name = source.name
        self.format = CameraFormat()
        self.broken = 0
        self.network = source.kind == "url"
        self._source = source
        self._wanted = wanted
        self._modality = modality
        self._frame_id = frame_id
        self._capture = cv2.VideoCapture()
        self._as_jpeg = False
        self._opened_ns = 0
        self._draining = False

    def open(self) -> None:
        """See Device."""
        self._capture = open_capture(self._source, self._wanted)
        self.format = read_back(self._capture, self._source)
        for words in refused(self._wanted, self.format) if self._source.kind == "v4l2" else []:
            log.warning("%s did not take a setting: %s", self.name, words)
        # FFmpeg would scale a changed picture to the old size, and fill up half a one: decode JPEG here.
        network_jpeg = self.network and self.format.pixel_format == "MJPG"
        self._as_jpeg = network_jpeg and self._capture.set(cv2.CAP_PROP_FORMAT, -1)
        given = self.format
        log.info(
            "%s is open: %s x %s at %s Hz, %s", self.name, given.width, given.height, given.rate_hz, given.pixel_format
        )
        self._opened_ns = time.monotonic_ns()
        self._draining = self._source.kind != "file"

    def read(self) -> Frame | None:
        """See Device; None for a frame that is stale or broken."""
        asked_ns = time.monotonic_ns()
        if not self._capture.grab():
            raise self._end()
        grabbed_ns = time.monotonic_ns()
        stamp_ns = self._stamp_ns(grabbed_ns)
        if self._stale(grabbed_ns - asked_ns, stamp_ns):
            return None
        image = self._image()
        if image is None:
            self.broken += 1
            return None
        self._note_size(image)
        return Frame(stamp_ns, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), "rgb8", self._modality, self._frame_id)

    def close(self) -> None:
        """See Device."""
        self._capture.release()

    def _image(self) -> np.ndarray | None:
        there, image = self._capture.retrieve()
        if not there:
            return None
        return _decoded(image) if self._as_jpeg else image

    def _end(self) -> Exception:
        if self._source.kind == "file":
            return EOFError()
        return StreamError(f"{self.name} sends no more frames: it is gone, or has stalled")

    def _stamp_ns(self, grabbed_ns: int) -> int:
        """The driver's own stamp where it is sane; a file's frame waits here until it is due."""
        if self._source.kind not in ("v4l2", "file"):
            return grabbed_ns
        position_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if self._source.kind == "file":
            due_ns = self._opened_ns + position_ns
            time.sleep(max(0, due_ns - grabbed_ns) / NS_PER_S)
            return due_ns
        sane = 0 <= grabbed_ns - position_ns < _OLDEST_DRIVER_STAMP_NS
        return position_ns if sane else grabbed_ns

    def _stale(self, waited_ns: int, stamp_ns: int) -> bool:
        """Whether a frame lay in a buffer already: after opening, until one has to be waited for, for 0.5 s at most."""
        if self._draining:
            in_time = time.monotonic_ns() - self._opened_ns < _DRAIN_NS
            self._draining = in_time and (waited_ns < _WAITED_NS or stamp_ns < self._opened_ns)
        return self._draining

    def _note_size(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        if (width, height) != (self.format.width, self.format.height):
            self.format = replace(self.format, width=width, height=height)


def _decoded(packet: np.ndarray) -> np.ndarray | None:
    """The picture of a JPEG file, uint8 (1, bytes), as the sensor gave it; None if it is cut off or damaged."""
    ending = packet.ravel()[-64:].tobytes().rstrip(b"\0\r\n")
    if not ending.endswith(_END_OF_JPEG):
        return None
    picture: np.ndarray | None = cv2.imdecode(packet, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return picture
