"""The sound of a video: a file beside it, or what is inside it, which PyAV takes out where it is installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from edgefuse.runtime.errors import BrokenFileError, StreamError
from edgefuse.runtime.streams.clip import sound_beside
from edgefuse.runtime.streams.faults import faults_of
from edgefuse.runtime.streams.video_file import name_for_ffmpeg

_LONGEST_GAP_S = 600.0
_GAP_S = 0.02  # less is how containers round times

log = logging.getLogger(__name__)


def sound_of(video: Path, folder: Path) -> Path:
    """The sound beside a video, or that inside it as a WAV in `folder`; raises StreamError where there is neither."""
    try:
        return sound_beside(video)
    except StreamError as error:
        none_beside = str(error)
    try:
        import av
    except ImportError as error:
        command = f"ffmpeg -i {quote(str(video))} {quote(str(video.with_suffix('.wav')))}"
        how = f"`pip install av` lets edgefuse take it out, or `{command}` does it once"
        raise StreamError(f"{none_beside}; where its sound is inside it, {how}") from error
    with (
        faults_of(str(video), BrokenFileError),
        video.open("rb") as file,
        av.open(name_for_ffmpeg(video, file)) as container,
    ):
        if not container.streams.audio:
            raise StreamError(f"{none_beside}; there is none inside it either")
        return _taken_out(container, video, folder)


def _taken_out(container: Any, video: Path, folder: Path) -> Path:
    import soundfile

    path = folder / f"{video.stem}.wav".encode(errors="replace").decode()  # any name will do, but for libsndfile's sake
    stream = container.streams.audio[0]
    log.info("%s: its sound is the %s inside it", video, stream.codec_context.name)
    with soundfile.SoundFile(path, "w", stream.rate, stream.channels, "PCM_16") as file:
        for pcm in _placed(container, stream, video):
            file.write(pcm)
    return path


def _placed(container: Any, sound: Any, video: Path) -> Iterator[np.ndarray]:
    """PCM int16 (samples, channels) from the first frame of the picture on, with silence where there is no sound."""
    began_s = _start_s(container.streams.video[0]) if container.streams.video else _start_s(sound)
    at = 0
    for frame, pcm in _decoded(container, sound, video):
        due = at if frame.time is None else round((frame.time - began_s) * sound.rate)
        if abs(due - at) > _LONGEST_GAP_S * sound.rate:
            by_s, after_s = (due - at) / sound.rate, at / sound.rate
            raise BrokenFileError(f"{video}: the sound inside it jumps by {by_s:.0f} s after {after_s:.1f} s")
        if due - at > _GAP_S * sound.rate:
            yield np.zeros((due - at, pcm.shape[1]), np.int16)
            at = due
        elif due < 0:
            pcm = pcm[-due:]
        at += len(pcm)
        yield pcm


def _decoded(container: Any, sound: Any, video: Path) -> Iterator[tuple[Any, np.ndarray]]:
    import av

    resampler = av.AudioResampler(format="s16", layout=sound.layout, rate=sound.rate)
    try:
        for frame in container.decode(sound):
            for same in resampler.resample(frame):
                yield same, same.to_ndarray().reshape(-1, sound.channels)
    except av.FFmpegError as error:
        log.warning("%s: the sound inside it breaks off, and is used to there: %s", video, error.strerror)


def _start_s(stream: Any) -> float:
    return 0.0 if stream.start_time is None else float(stream.start_time * stream.time_base)
