"""A clip: a video file and the sound beside it, played in real time or read as fast as possible."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import soundfile
import soxr

from edgefuse.runtime.arguments import check_kind, path_of, texts_in, whole_in
from edgefuse.runtime.errors import EndOfFileError, StreamError
from edgefuse.runtime.samples import NS_PER_S, AudioChunk, Frame, Sample
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.pacer import Pacer, wake_on_time
from edgefuse.runtime.streams.video_file import VideoFile

_CHUNK_S = 0.02
_SHORTER_THAN_ITS_HEADER_SAYS = "(should be"  # libsndfile's log; it reads on without an error
_SOUND_SUFFIXES = (".wav", ".flac")


class Clip(Stream):
    """Yields a `Frame` (rgb8) per picture and an `AudioChunk` per 20 ms, each when it would have been sensed.

    Either file may be None; `senses` are those that the picture and the sound are of, `frame_id` is the
    coordinate frame of the picture. Played in real time (`live`),
    stamps are on the monotonic clock and begin when the iteration does; otherwise they begin at 0. Sound of any rate
    and number of channels becomes mono at `rate_hz`. Raises StreamError if a file is missing,
    unreadable or cut off, see VideoFile.
    """

    def __init__(
        self,
        video: str | Path | None,
        audio: str | Path | None,
        live: bool = True,
        rate_hz: int = 16_000,
        senses: tuple[str, str] = ("image", "audio"),
        frame_id: str = "",
    ) -> None:
        if video is None and audio is None:
            raise StreamError("a clip needs a video or a sound file")
        check_kind("live", live, bool)
        check_kind("frame_id", frame_id, str)
        if len(texts_in("senses", senses)) != 2:
            raise StreamError("senses should be two, of the picture and of the sound")
        self._rate_hz = whole_in("rate_hz", rate_hz, 1000, 768_000)
        self._seen, self._heard = senses
        self._frame_id = frame_id
        self.video = None if video is None else path_of("video", video)
        self.audio = None if audio is None else path_of("audio", audio)
        self.live, self.name = live, str(self.video or self.audio)
        self._capture = None if self.video is None else VideoFile(self.video)
        self._sound = None if self.audio is None else _open_audio(self.audio)
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
        for pcm in self._pcm():
            if len(pcm):
                stamp_ns = start_ns + index * NS_PER_S // self._rate_hz
                yield AudioChunk(stamp_ns, pcm, self._rate_hz, index, self._heard)
            index += len(pcm)

    def _pcm(self) -> Iterator[np.ndarray]:
        if self._sound is None:
            return
        source_hz = self._sound.samplerate
        resampler = soxr.ResampleStream(source_hz, self._rate_hz, 1, dtype="float32")
        blocks = self._sound.blocks(round(source_hz * _CHUNK_S), dtype="float32", always_2d=True)
        try:
            for block in blocks:
                mono = block.mean(axis=1)
                yield mono if source_hz == self._rate_hz else resampler.resample_chunk(mono)
        except soundfile.LibsndfileError as error:
            raise StreamError(f"{self.audio} is cut off or damaged: {error}") from error
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def sound_beside(video: Path) -> Path:
    """The WAV or FLAC file beside a video that has its name; raises StreamError if there is none."""
    for suffix in _SOUND_SUFFIXES:
        if video.with_suffix(suffix).is_file():
            return video.with_suffix(suffix)
    raise StreamError(
        f"{video} has no sound beside it: expected {video.with_suffix('.wav').name}; "
        "name one with --audio, or go without with --drop audio"
    )


def _open_audio(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        raise StreamError(f"{path}: no such sound file")
    try:
        sound = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise StreamError(f"{path} is no sound file that can be read: {error}") from error
    if _SHORTER_THAN_ITS_HEADER_SAYS in sound.extra_info:
        raise StreamError(f"{path} is cut off: only {sound.frames / sound.samplerate:.1f} s of it are there")
    return sound
