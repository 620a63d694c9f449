"""The camera: always the newest frame, stamped when it was grabbed."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edgefuse.runtime.arguments import check_kind, number_in, whole_in
from edgefuse.runtime.samples import NS_PER_S, Frame
from edgefuse.runtime.streams.capture import (
    CameraFormat,
    CameraSource,
    Capture,
    OpenCvCapture,
    camera_source,
    refused,
)
from edgefuse.runtime.streams.certificates import check_provable, options_for
from edgefuse.runtime.streams.device_stream import DeviceStream
from edgefuse.runtime.streams.http_jpegs import open_http_jpegs
from edgefuse.runtime.streams.line import Line
from edgefuse.runtime.streams.video_file import VideoFile
from edgefuse.runtime.streams.watchdog import Patience

_MOST_DEVICES = 10_000
_WAITED_NS = 2_000_000
_DRAIN_NS = NS_PER_S // 2
_OLDEST_DRIVER_STAMP_NS = NS_PER_S

log = logging.getLogger(__name__)


class Camera(DeviceStream[Frame]):
    """Yields the newest Frame (rgb8) whenever it is asked; comes back by itself when the device does.

    `device` is an index, a path such as /dev/v4l/by-id/..., a URL (RTSP, HTTP), a GStreamer pipeline, or a video file,
    which is played in real time and ends. What else is given is asked of a local device; `format` is what it gives.
    `modality` is the sense that it is of, `frame_id` the coordinate frame that it sees in. Frames that waited in the
    driver while it was opened are skipped, halves of a JPEG are dropped and counted. A server by https or rtsps proves
    itself by its certificate, against what this computer trusts (SSL_CERT_FILE), unless `insecure`.
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
        insecure: bool = False,
    ) -> None:
        check_kind("device", device, int, str, Path)
        if isinstance(device, int):
            whole_in("device", device, 0, _MOST_DEVICES)
        check_kind("pixel_format", pixel_format, str, None)
        check_kind("patience", patience, Patience, None)
        check_kind("modality", modality, str)
        check_kind("frame_id", frame_id, str)
        check_kind("insecure", insecure, bool)
        most = {"width": 65_536, "height": 65_536, "rate_hz": 10_000, "exposure_ms": 60_000, "buffers": 1000}
        asked = {"width": width, "height": height, "rate_hz": rate_hz, "exposure_ms": exposure_ms, "buffers": buffers}
        for name, value in asked.items():
            if value is not None:
                number_in(name, value, 0.001, most[name])
        wanted = CameraFormat(width, height, rate_hz, pixel_format, exposure_ms, buffers)
        self._grabber = Grabber(camera_source(device, insecure), wanted, modality, frame_id)
        super().__init__(self._grabber, 1, patience, self._grabber.interrupt)

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
        """Frames that could not be decoded, such as halves of a JPEG, or were too large."""
        return self.health.broken


class Grabber:
    """The Device behind a Camera."""

    def __init__(self, source: CameraSource, wanted: CameraFormat, modality: str, frame_id: str) -> None:
        self.name = source.name
        self.format = CameraFormat()
        self.network = source.kind == "url"
        self._source = source
        self._wanted = wanted
        self._modality = modality
        self._frame_id = frame_id
        self._capture: Capture | None = None
        self._line = Line()
        self._interrupted = False
        self._opened_ns = 0
        self._draining = False

    def open(self) -> None:
        """See Device."""
        self._capture = self._opened()
        given = self.format = self._capture.format
        for words in refused(self._wanted, given) if self._source.kind == "v4l2" else []:
            log.warning("%s did not take a setting: %s", self.name, words)
        log.info(
            "%s is open: %s x %s at %s Hz, %s", self.name, given.width, given.height, given.rate_hz, given.pixel_format
        )
        self._opened_ns = time.monotonic_ns()
        self._draining = self._source.kind != "file"

    def read(self) -> Frame | None:
        """See Device; None for a frame that is stale."""
        assert self._capture is not None, "read() without open()"
        asked_ns = time.monotonic_ns()
        own_ns = self._capture.grab()
        grabbed_ns = time.monotonic_ns()
        stamp_ns = grabbed_ns if own_ns is None else self._stamp_ns(own_ns, grabbed_ns)
        if self._stale(grabbed_ns - asked_ns, stamp_ns):
            return None
        image = self._capture.retrieve()
        self._note_size(image)
        return Frame(stamp_ns, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), "rgb8", self._modality, self._frame_id)

    def interrupt(self) -> None:
        """From any thread: end what waits for a server over HTTP, for good."""
        self._interrupted = True
        self._line.cut()

    def close(self) -> None:
        """See Device."""
        if self._capture is not None:
            self._capture.close()
            self._capture = None

    def _opened(self) -> Capture:
        if self._source.kind == "file":
            return VideoFile(Path(str(self._source.address)))
        jpegs = None
        if self._source.kind == "url":
            self._line = Line()
            if self._interrupted:
                self._line.cut()
            jpegs = open_http_jpegs(self._source, self._line)
        if jpegs is not None:
            return jpegs
        check_provable(self._source)
        return OpenCvCapture(self._source, self._wanted, options_for(self._source))

    def _stamp_ns(self, own_ns: int, grabbed_ns: int) -> int:
        """The driver's own stamp where it is sane; a file's frame waits here until it is due."""
        if self._source.kind == "file":
            due_ns = self._opened_ns + own_ns
            time.sleep(max(0, due_ns - grabbed_ns) / NS_PER_S)
            return due_ns
        sane = 0 <= grabbed_ns - own_ns < _OLDEST_DRIVER_STAMP_NS
        return own_ns if sane else grabbed_ns

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
