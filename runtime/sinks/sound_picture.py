"""Sound as a picture: the envelope of its waveform, and a spectrogram of its last seconds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgefuse.runtime.samples import NS_PER_S, AudioChunk

_COLUMNS_HZ = 100
_EVERY_COLUMNS = 20
_FRAME_S = 0.025
_BANDS = 96
_SHOWN_S = 5
_FLOOR_DB, _CEILING_DB = -65.0, -10.0


@dataclass(frozen=True, slots=True)
class SoundPicture:
    """What came since the last picture, and what the last 5 s look like.

    `stamps_ns` (columns,) with `low` and `high` (columns,) the envelope per 10 ms; `spectrogram` uint8 BGR (bands,
    columns of 5 s, 3): time to the right, frequency upwards on the mel scale, -65 to -10 dB.
    """

    stamps_ns: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spectrogram: np.ndarray


class SoundPainter:
    """Takes chunks of one stream of one rate and paints five pictures a second; lost sound is drawn as silence."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._hop = rate_hz // _COLUMNS_HZ
        self._window = np.hanning(round(rate_hz * _FRAME_S)).astype(np.float32)
        self._bands = _mel_bands(rate_hz, len(self._window))
        self._pcm = np.zeros(len(self._window) - self._hop, np.float32)  # what the next column still reaches back to
        self._pending = 0
        self._next_index: int | None = None
        self._image = np.zeros((_BANDS, _SHOWN_S * _COLUMNS_HZ), np.uint8)

    def paint(self, chunk: AudioChunk) -> SoundPicture | None:
        """The next picture, if this chunk completes one."""
        missing = 0 if self._next_index is None else max(0, chunk.index - self._next_index)
        silence = np.zeros(min(missing, self._rate_hz * _SHOWN_S), np.float32)
        self._next_index = chunk.index + len(chunk.pcm)
        self._pcm = np.concatenate([self._pcm, silence, chunk.pcm])
        self._pending += len(silence) + len(chunk.pcm)
        columns = self._pending // self._hop
        return self._picture(columns, chunk.until_ns) if columns >= _EVERY_COLUMNS else None

    def _picture(self, columns: int, until_ns: int) -> SoundPicture:
        left = self._pending - columns * self._hop
        end = len(self._pcm) - left
        frames = np.lib.stride_tricks.sliding_window_view(self._pcm[:end], len(self._window))[:: self._hop][-columns:]
        blocks = self._pcm[end - columns * self._hop : end].reshape(columns, self._hop)
        self._scroll(frames)
        self._pcm = self._pcm[end - (len(self._window) - self._hop) :]
        self._pending = left
        ages = (np.arange(columns, 0, -1) * self._hop + left) * NS_PER_S // self._rate_hz
        return SoundPicture(until_ns - ages, blocks.min(axis=1), blocks.max(axis=1), self._colored())

    def _scroll(self, frames: np.ndarray) -> None:
        power = np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2
        decibels = 10 * np.log10(power @ self._bands.T + 1e-12)
        levels = np.clip((decibels - _FLOOR_DB) / (_CEILING_DB - _FLOOR_DB), 0, 1) * 255
        self._image = np.hstack([self._image, levels.T[::-1].astype(np.uint8)])[:, -self._image.shape[1] :]

    def _colored(self) -> np.ndarray:
        colored: np.ndarray = cv2.applyColorMap(self._image, cv2.COLORMAP_MAGMA)
        return colored


def _mel_bands(rate_hz: int, window: int) -> np.ndarray:
    """Bands of equal width in mel as weights over FFT bins, (bands, bins), such that a full-scale tone is at 0 dB."""
    mels = np.linspace(0, 2595 * np.log10(1 + rate_hz / 2 / 700), _BANDS + 2)
    edges = (700 * (10 ** (mels / 2595) - 1))[:, None]
    hertz = np.fft.rfftfreq(window, 1 / rate_hz)[None]
    step = rate_hz / window
    rising = (hertz - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], step)
    falling = (edges[2:] - hertz) / np.maximum(edges[2:] - edges[1:-1], step)
    weights = np.clip(np.minimum(rising, falling), 0, None) / (window / 4) ** 2
    return weights.astype(np.float32)
