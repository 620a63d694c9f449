"""A video file: its frames, one after another, and when each is to be shown."""

from __future__ import annotations

import logging
import stat
from pathlib import Path
from shlex import quote
from typing import BinaryIO

import cv2
import numpy as np

from edgefuse.runtime.errors import BrokenFileError, EndOfFileError
from edgefuse.runtime.files.containers import lacks_index, missing_bytes
from edgefuse.runtime.files.limits import FRAME_PIXELS
from edgefuse.runtime.streams.capture import CameraFormat, pixel_format_of
from edgefuse.runtime.streams.faults import faults_of
from edgefuse.runtime.streams.ffmpeg_options import ffmpeg_options
from edgefuse.runtime.streams.opencv_log import SILENT, set_log_level

_MOST_UNDECODABLE = 100
"""Tries to read on where nothing comes: OpenCV says the same at the end of a file as of a packet that is damaged."""

log = logging.getLogger(__name__)


class VideoFile:
    """Reads a file once, frame by frame, in one thread. A picture is turned as the file says it is to be shown.

    Frames are lost where the file is damaged, which is counted and said at its end. How many frames a container says it
    has is no promise (of MKV, WebM and TS it is a guess, of a trimmed MP4 it counts what is not shown); that a file is
    cut off is known by its length. Raises BrokenFileError, one line, for a file that is missing, no video, of frames of
    more than limits.FRAME_PIXELS, cut off, or without times.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0
        self.lost = 0
        self._capture = cv2.VideoCapture()
        self._position_ns = 0
        check_readable(path, "video file")
        with faults_of(str(path), BrokenFileError):
            self._file = path.open("rb")
            self._open()

    @property
    def format(self) -> CameraFormat:
        """Size, rate and codec, as the file says."""
        return CameraFormat(
            width=int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)) or None,
            height=int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) or None,
            rate_hz=max(0.0, self._capture.get(cv2.CAP_PROP_FPS)) or None,
            pixel_format=pixel_format_of(self._capture),
        )

    def grab(self) -> int:
        """Go on to the next frame, and return when it is to be shown, from the file's beginning [ns].

        Raises EndOfFileError after the last.
        """
        with faults_of(str(self.path), BrokenFileError):
            undecodable = 0
            while not self._capture.grab():
                undecodable += 1
                if undecodable > _MOST_UNDECODABLE:
                    raise self._end()
            self.lost += undecodable
            self.read += 1
            before_ns, self._position_ns = self._position_ns, self._position()
            if self.read == 2 and self._position_ns == before_ns == 0:
                raise BrokenFileError(self._without_times())
            return self._position_ns

    def retrieve(self) -> np.ndarray:
        """The frame that was grabbed: uint8 (height, width, 3), BGR."""
        with faults_of(str(self.path), BrokenFileError):
            there, image = self._capture.retrieve()
            if not there:
                raise BrokenFileError(f"{self.path}: frame {self.read} cannot be made a picture")
            return np.asarray(image)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._capture.release()
        self._file.close()

    def _open(self) -> None:
        level = set_log_level(SILENT)  # what fails is raised below, in one line
        try:
            with ffmpeg_options({}):
                self._capture.open(name_for_ffmpeg(self.path, self._file), cv2.CAP_FFMPEG)
        finally:
            set_log_level(level)
        if not self._capture.isOpened():
            self.close()
            raise BrokenFileError(f"{self.path} {_why_no_video(self.path)}")
        width, height = self.format.width or 0, self.format.height or 0
        if (refusal := FRAME_PIXELS.refusal(width * height)) is not None:
            self.close()
            raise BrokenFileError(f"{self.path} says that its frames are {width} x {height}: {refusal}")

    def _position(self) -> int:
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if not abs(position_ms) < 1e12:
            raise BrokenFileError(f"{self.path}: frame {self.read} is to be shown at {position_ms} ms")
        return round(position_ms * 1e6)

    def _end(self) -> Exception:
        missing = missing_bytes(self.path)
        said = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if missing and not 0 < said <= self.read:
            return BrokenFileError(
                f"{self.path} is cut off: its last {missing:,} bytes are missing; {self.read} frames can be read"
            )
        if not self.read:
            codec = (pixel_format_of(self._capture) or "unknown").upper()
            return BrokenFileError(
                f"{self.path}: this OpenCV can decode no frame of it (codec {codec.replace('AV01', 'AV1')}); "
                f"`{converting(self.path)}` makes one that it can"
            )
        if self.lost:
            log.warning("%s: at least %d frames are damaged, and lost", self.path, self.lost)
        return EndOfFileError()

    def _without_times(self) -> str:
        codec = pixel_format_of(self._capture) or "video"
        command = f"ffmpeg -r 30 -i {quote(str(self.path))} {_new_name(self.path)}"
        return (
            f"{self.path} does not say when its frames were taken, as a bare {codec} stream; with the rate that it was "
            f"taken at, here 30 Hz, `{command}` makes a file that does"
        )


def check_video(path: Path) -> None:
    """Raises BrokenFileError for a file of which no frame can be decoded, and for one without times."""
    video = VideoFile(path)
    try:
        for _ in range(2):
            video.grab()
    except EndOfFileError:
        pass
    finally:
        video.close()


def check_readable(path: Path, what: str) -> None:
    """Raises BrokenFileError unless that is a regular file that can be read and holds something."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BrokenFileError(f"{path} is {'a directory' if path.is_dir() else 'no regular file'}, and no {what}")
        path.open("rb").close()
    except FileNotFoundError as error:
        raise BrokenFileError(f"{path}: no such {what}") from error
    except (OSError, ValueError) as error:  # ValueError: what can be no name
        raise BrokenFileError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if not status.st_size:
        raise BrokenFileError(f"{path} is empty: was its recorder killed?")


def name_for_ffmpeg(path: Path, file: BinaryIO) -> str:
    """An absolute path, which is taken for no protocol; of the open file, where its name is not in UTF-8.

    Such a name would crash OpenCV.
    """
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"/proc/self/fd/{file.fileno()}"
    return name


def converting(path: Path) -> str:
    """The command that makes a video of it that any OpenCV decodes."""
    return f"ffmpeg -i {quote(str(path))} -c:v libx264 {_new_name(path)}"


def _new_name(path: Path) -> str:
    return quote(str(path.with_name(f"{path.stem}-new.mp4")))


def _why_no_video(path: Path) -> str:
    """Why OpenCV does not open a file that is there, to go on from its name."""
    if missing := missing_bytes(path):
        return f"is cut off: its last {missing:,} bytes are missing, and without them nothing can be read"
    if lacks_index(path):
        return "was never finished: it has no index (moov), which comes last; was its recorder killed?"
    if _is_sound(path):
        return "is a sound file, and no video: name it with --audio, or hear it alone with --drop image"
    return "is no video that OpenCV can read: damaged, of an unknown kind, or without a picture"


def _is_sound(path: Path) -> bool:
    try:
        import soundfile

        soundfile.info(str(path))
    except Exception:  # whatever it raises, or that it cannot be loaded: it tells no more of the file
        return False
    return True
