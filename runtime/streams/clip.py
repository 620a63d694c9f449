"""A clip: a video file and the sound beside it, played in real time or read as fast as possible."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from edgefuse.runtime.arguments import check_kind, path_of, texts_in, whole_in
from edgefuse.runtime.errors import EndOfFileError, StreamError
from edgefuse.runtime.samples import NS_PER_S, AudioChunk, Frame, Sample
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.mixdown import check_channel
from edgefuse.runtime.streams.pacer import Pacer, wake_on_time
from edgefuse.runtime.streams.sound_file import SOUND_SUFFIXES, SoundFile
from edgefuse.runtime.streams.video_file import VideoFile


class Clip(Stream):
    """Yields a `Frame` (rgb8) per picture and an `AudioChunk` per 20 ms, each when it would have been sensed.

    Either file may be None; `senses` are those that the picture and the sound are of, `frame_id` is the
    coordinate frame of the picture. Played in real time (`live`),
    stamps are on the monotonic clock and begin when the iteration does; otherwise they begin at 0. Sound of any rate
    becomes mono at `rate_hz`: the mean of its channels, or `channel`, counted from 0. Raises StreamError if a file is
    missing or unreadable, or the video is cut off, see VideoFile; sound that is cut off is used, with a warning.
    """

    def __init__(
        self,
        video: str | Path | None,
        audio: str | Path | None,
        live: bool = True,
        rate_hz: int = 16_000,
        senses: tuple[str, str] = ("image", "audio"),
        frame_id: str = "",
        channel: int | None = None,
    ) -> None:
        if video is None and audio is None:
            raise StreamError("a clip needs a video or a sound file")
        check_kind("live", live, bool)
        check_kind("frame_id", frame_id, str)
        if len(texts_in("senses", senses)) != 2:
            raise StreamError("senses should be two, of the picture and of the sound")
        self._rate_hz = whole_in("rate_hz", rate_hz, 1000, 768_000)
        check_channel(channel)
        self._seen, self._heard = senses
        self._frame_id = frame_id
        self.video = None if video is None else path_of("video", video)
        self.audio = None if audio is None else path_of("audio", audio)
        self.live, self.name = live, str(self.video or self.audio)
        self._capture = None if self.video is None else VideoFile(self.video)
        self._sound = None if self.audio is None else SoundFile(self.audio, channel)
        self._pacer = Pacer()

    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of their `until_ns`, once; raises StreamError where a file breaks off."""
        start_ns = time.monotonic_ns() if self.live else 0
        if self.live:
            wake_on_time()
        sources: list[Iterator[Sample]] = [self._frames(start_ns), self._chunks(start_ns)]
        for sample in heapq.merge(*sources, key=lambda sample: sample.until_ns):
            if self.live:
                self._pacer.wait_until(sample.until_ns)
            if self._pacer.stopped:
                break
            yield sample
        self._release()

    def close(self) -> None:
        """See Stream."""
        self._pacer.stop()

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.close()
        if self._sound is not None:
            self._sound.close()

    def _frames(self, start_ns: int) -> Iterator[Frame]:
        if self._capture is None:
            return
        while not self._pacer.stopped:
            try:
                stamp_ns = start_ns + self._capture.grab()
            except EndOfFileError:
                return
            image = cv2.cvtColor(self._capture.retrieve(), cv2.COLOR_BGR2RGB)
            yield Frame(stamp_ns, image, "rgb8", self._seen, self._frame_id)

    def _chunks(self, start_ns: int) -> Iterator[AudioChunk]:
        index = 0
        for pcm in () if self._sound is None else self._sound.blocks(self._rate_hz):
            if len(pcm):
                stamp_ns = start_ns + index * NS_PER_S // self._rate_hz
                yield AudioChunk(stamp_ns, pcm, self._rate_hz, index, self._heard)
            index += len(pcm)


def sound_beside(video: Path) -> Path:
    """The sound file beside a video that has its name, a WAV first; raises StreamError if there is none."""
    try:
        beside = [path for path in video.parent.iterdir() if path.stem == video.stem]
    except OSError:  # no such directory, or of another user
        beside = []
    for suffix in SOUND_SUFFIXES:
        for path in sorted(beside):
            if path.suffix.lower() == suffix and path.is_file():
                return path
    raise StreamError(
        f"{video} has no sound beside it: expected {video.with_suffix('.wav').name}; "
        "name one with --audio, or go without with --drop audio"
    )
