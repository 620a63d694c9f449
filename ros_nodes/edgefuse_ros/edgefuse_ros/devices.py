"""The streams of a robot's own devices, from settings; or a file's, played as if it were the device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from edgefuse.runtime import Clip, Sample, Stream
from edgefuse.runtime.streams.camera import Camera
from edgefuse.runtime.streams.microphone import Microphone
from edgefuse_ros.settings import CameraSettings, MicrophoneSettings


class Delayed(Stream):
    """A stream that begins at a moment, so that the nodes that play a clip's picture and sound begin together."""

    def __init__(self, stream: Stream, start_ns: int, now_ns: Callable[[], int]) -> None:
        self.live, self.name = stream.live, stream.name
        self._stream = stream
        self._start_ns = start_ns
        self._now_ns = now_ns
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Sample]:
        """See Stream."""
        while (left_ns := self._start_ns - self._now_ns()) > 0 and not self._closed.is_set():
            self._closed.wait(left_ns / 1e9)
        yield from self._stream

    def close(self) -> None:
        """See Stream."""
        self._closed.set()
        self._stream.close()


def camera(settings: CameraSettings, now_ns: Callable[[], int], sense: str = "image") -> Stream:
    """The camera, or the frames of the clip; raises StreamError for a clip that cannot be played."""
    if settings.clip:
        clip = Clip(Path(settings.clip), None, senses=(sense, ""), frame_id=settings.frame_id)
        return Delayed(clip, round(settings.clip_start_s * 1e9), now_ns)
    return Camera(
        int(settings.device) if settings.device.isdigit() else settings.device,
        settings.width or None,
        settings.height or None,
        settings.rate_hz or None,
        settings.pixel_format or None,
        modality=sense,
        frame_id=settings.frame_id,
        insecure=settings.insecure,
    )


def microphone(settings: MicrophoneSettings, now_ns: Callable[[], int], sense: str = "audio") -> Stream:
    """The microphone, or the sound of the clip; raises StreamError for a clip that cannot be played."""
    channel = None if settings.channel < 0 else settings.channel
    if settings.clip:
        clip = Clip(None, Path(settings.clip), rate_hz=settings.rate_hz, senses=("", sense), channel=channel)
        return Delayed(clip, round(settings.clip_start_s * 1e9), now_ns)
    device = int(settings.device) if settings.device.isdigit() else settings.device or None
    return Microphone(device, settings.rate_hz, settings.channels or None, modality=sense, channel=channel)
