"""A sound file, read block by block as mono at the rate that is wanted."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soxr

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.files.limits import sound_refusal
from edgefuse.runtime.streams.mixdown import Mixdown, channel_refusal
from edgefuse.runtime.streams.wav_length import WavLength, read_wav_length

if TYPE_CHECKING:
    import soundfile

SOUND_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif")
"""Of the files that are looked for beside a video; others that libsndfile reads may be named."""

_BLOCK_S = 0.02
_ESTIMATED_S = 0.1  # by so much the length of an MP3 may be wrong
_ENDLESS_FRAMES = 1 << 62  # what libsndfile says of a FLAC that does not say how long it is
_SAYS_MORE = re.compile(r"^\s*(?:SSND|riff|data) : (-?\d+) \(should be", re.MULTILINE)  # libsndfile's log

log = logging.getLogger(__name__)


class SoundFile:
    """Opened by its path; `channel` is which of its channels to take, counted from 0, by default their mean.

    A file that is cut off, or that does not say how long it is, is read to its end, and that is logged. Raises
    StreamError for one that is missing, cannot be read, is not as sound can be, or has not that channel.
    """

    def __init__(self, path: Path, channel: int | None = None) -> None:
        self.path = path
        self._mixdown = Mixdown(str(path), channel)
        self._file, self._cut_off = _opened(path)
        self.rate_hz: int = self._file.samplerate
        refusal = channel_refusal(self._file.channels, channel)
        if refusal is not None:
            self.close()
            raise StreamError(f"{path} {refusal}")

    def blocks(self, rate_hz: int) -> Iterator[np.ndarray]:
        """All of it, once, as float32 (samples,) at `rate_hz`; 20 ms at a time, some of them empty."""
        resampler = soxr.ResampleStream(self.rate_hz, rate_hz, 1, dtype="float32")
        for block in self._blocks():
            mono = self._mixdown.mono(block, self.rate_hz)
            yield mono if self.rate_hz == rate_hz else resampler.resample_chunk(mono)
        self._mixdown.conclude()
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._file.close()

    def _blocks(self) -> Iterator[np.ndarray]:
        """float32 (samples, channels), to where the file ends or breaks off."""
        read, why, size = 0, "", round(self.rate_hz * _BLOCK_S)
        while not why:
            block, why = self._block(size)
            if not len(block):
                break
            read += len(block)
            yield block
        missing = self._file.frames - read
        if missing < _ENDLESS_FRAMES and not self._cut_off and (why or missing > _ESTIMATED_S * self.rate_hz):
            _say_cut_off(self.path, read / self.rate_hz, self._file.frames / self.rate_hz, why)

    def _block(self, size: int) -> tuple[np.ndarray, str]:
        """The next so many samples, and what went wrong, if something did; what was read before that is there."""
        block = np.full((size, self._file.channels), np.nan, np.float32)
        try:
            return self._file.read(out=block), ""
        except _soundfile().LibsndfileError as error:
            unread = np.isnan(block).all(axis=1)
            return block[: int(unread.argmax()) if unread.any() else size], _in_words(error)


def libsndfile_version() -> str:
    """What reads sound files here; raises StreamError where nothing does."""
    return f"libsndfile {_soundfile().__libsndfile_version__}"


class _Patched:
    """A file for libsndfile, of which a few bytes are others than on the disk, by their place."""

    def __init__(self, path: Path, patches: Mapping[int, bytes]) -> None:
        self._file = path.open("rb")
        self._patches = patches
        self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close

    def read(self, size: int) -> bytes:
        """See io.RawIOBase; what cannot be read is the end, since an error would have no way through libsndfile."""
        begin = self._file.tell()
        try:
            content = bytearray(self._file.read(size))
        except OSError:
            return b""
        for at, patch in self._patches.items():
            for place, byte in enumerate(patch, at - begin):
                if 0 <= place < len(content):
                    content[place] = byte
        return bytes(content)


def _opened(path: Path) -> tuple[soundfile.SoundFile, bool]:
    """The file, and whether it was said that it is cut off or does not say how long it is."""
    try:
        if not path.is_file():
            raise StreamError(f"{path}: no such sound file")
        with path.open("rb") as content:
            length = read_wav_length(content)
        # By a descriptor, since a name need not be UTF-8, and its suffix is not to be believed.
        patched = None if length is None or not length.patches else _Patched(path, length.patches)
        file = _soundfile().SoundFile(patched or os.open(path, os.O_RDONLY))
        file.seekable = lambda: False  # else it seeks after each read, to where it is; an MP3 may lose its place so
    except OSError as error:
        raise StreamError(f"{path} cannot be read: {error.strerror}") from error
    except _soundfile().LibsndfileError as error:
        how = "" if path.suffix.lower() in SOUND_SUFFIXES else "; convert it to WAV, such as by ffmpeg"
        raise StreamError(f"{path} is no sound file that can be read: {_in_words(error)}{how}") from error
    senseless = sound_refusal(file.samplerate, file.channels)
    if senseless is not None or not file.frames:
        file.close()
        raise StreamError(
            f"{path} holds no sound, only its header" if senseless is None else f"{path} says {senseless}"
        )
    return file, _say_what_is_odd(path, file, length)


def _say_what_is_odd(path: Path, file: soundfile.SoundFile, length: WavLength | None) -> bool:
    """Whether there was anything."""
    seconds = file.frames / file.samplerate
    more = _SAYS_MORE.findall(file.extra_info) if length is None else []
    if file.frames >= _ENDLESS_FRAMES or "0" in more or "-1" in more or (length is not None and length.said is None):
        log.warning("%s does not say how long it is (written to a pipe, or never closed): read to its end", path)
    elif more:
        _say_cut_off(path, seconds, None)
    elif length is not None and length.said is not None and length.said > length.there:
        _say_cut_off(path, seconds, seconds * length.said / max(1, length.there))
    elif length is not None and length.stray * seconds > _ESTIMATED_S * length.there:
        log.warning("%s has %d bytes behind its sound that are no part of it by its header", path, length.stray)
    else:
        return False
    return True


def _say_cut_off(path: Path, there_s: float, of_s: float | None, why: str = "") -> None:
    of = "" if of_s is None else f" of {of_s:.1f}"
    log.warning("%s is cut off or damaged: only %.1f%s s are there%s", path, there_s, of, f": {why}" if why else "")


def _in_words(error: Any) -> str:
    return str(error.error_string).strip().rstrip(".")


def _soundfile() -> Any:
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as error:
        raise StreamError(f"sound files need the Python package soundfile with its libsndfile: {error}") from error
    return soundfile
