"""Onsets: when something began to be seen, and when something began to be heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefuse.calibration.witness import Heard, Seen

_BRIGHTEST = 8  # cells that speak for a frame: a screen that fills a fiftieth of the picture is enough
_LEAST_NOISE = 0.1  # grey levels
_SEEN_SD = 8.0
_GLIMPSE_SD = 4.0
_PITCHES = 2  # those that speak for a moment: a beep has few
_WINDOW_S = 0.024
_HOP_S = 0.002
_HEARD_SD = 5.0
_APART_S = 0.25  # an onset so soon after another belongs to it
_BEFORE_S, _AFTER_S = 0.05, 0.02


@dataclass(frozen=True, slots=True)
class SeenOnsets:
    """`strength` (frames,) is how much brighter some cells became with each frame, in standard deviations of the noise.

    An onset lies between the frame before it, `after_s` (onsets,), and the frame that shows it, `until_s`.
    """

    times_s: np.ndarray
    strength: np.ndarray
    after_s: np.ndarray
    until_s: np.ndarray

    @property
    def middle_s(self) -> np.ndarray:
        """(onsets,)"""
        return np.asarray((self.after_s + self.until_s) / 2)


@dataclass(frozen=True, slots=True)
class HeardOnsets:
    """`curve` (steps,) is how much louder some pitches became, at `curve_s`; an onset is at `times_s` (onsets,)."""

    curve_s: np.ndarray
    curve: np.ndarray
    times_s: np.ndarray
    strength: np.ndarray


def seen_onsets(seen: Seen) -> SeenOnsets:
    """Brightening alone counts: a lamp that goes out is no second event, and whatever moves brightens somewhere."""
    change = np.diff(seen.cells, axis=0).reshape(len(seen.cells) - 1, -1)
    change /= np.maximum(_LEAST_NOISE, 1.48 * np.median(np.abs(change), axis=0))
    brighter = np.sort(np.maximum(change, 0), axis=1)[:, -_BRIGHTEST:].mean(axis=1)
    strength = np.append(0.0, _standardized(brighter))
    first = _firsts(strength > _SEEN_SD, seen.times_s)
    first = np.array([frame - _begun_before(change, frame) for frame in first], int)
    return SeenOnsets(seen.times_s, strength, seen.times_s[first - 1], seen.times_s[first])


def heard_onsets(heard: Heard, least_sd: float = _HEARD_SD) -> HeardOnsets:
    """Those where the loudness of some pitches rises by `least_sd` standard deviations of what it does anyway."""
    white = _whitened(heard)
    hop, window = round(_HOP_S * heard.rate_hz), round(_WINDOW_S * heard.rate_hz)
    levels = _levels(white, window, hop)
    steps = window // hop
    rises = np.maximum(levels[steps:] - levels[:-steps], 0)
    rise = np.sort(rises, axis=1)[:, -_PITCHES:].mean(axis=1)
    samples = np.arange(len(rise)) * hop + (steps * hop + window) // 2
    curve, curve_s = _standardized(rise), heard.times_s(samples)
    first = _firsts(curve > least_sd, curve_s)
    picked = np.array([_picked(white, heard.rate_hz, _peak(curve, index) * hop + steps * hop) for index in first])
    strength = np.array([curve[_peak(curve, index)] for index in first])
    return HeardOnsets(curve_s, curve, heard.times_s(picked), strength)


def _begun_before(change: np.ndarray, frame: int) -> bool:
    """Whether the frame before shows a first glimpse of it already: a lamp that was lit as its exposure ended."""
    pattern = np.maximum(change[frame - 1], 0)
    return frame >= 2 and float(pattern @ change[frame - 2]) > _GLIMPSE_SD * float(np.linalg.norm(pattern))


def _standardized(values: np.ndarray) -> np.ndarray:
    """In standard deviations from what is usual, judged by median and quartiles, which events do not move."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return np.asarray((values - middle) / max((high - low) / 1.349, 1e-6))


def _firsts(loud: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """The first index of each event; what is less than 0.25 s after the last loud moment is part of it."""
    indices = np.flatnonzero(loud)
    if not len(indices):
        return indices
    return np.asarray(indices[np.append(True, np.diff(times_s[indices]) > _APART_S)])


def _peak(curve: np.ndarray, index: int) -> int:
    """Where the curve stands highest in the 12 ms from here on."""
    return index + int(np.argmax(curve[index : index + round(0.012 / _HOP_S)]))


def _whitened(heard: Heard) -> np.ndarray:
    """The sound through a filter, 4 ms long to either side, that makes its usual noise white: no hum hides a beep."""
    taps = round(0.008 * heard.rate_hz) & ~1
    pieces = heard.pcm[: len(heard.pcm) // taps * taps].reshape(-1, taps) * np.hanning(taps)
    usual = np.sqrt(np.median(np.abs(np.fft.rfft(pieces, axis=1)) ** 2, axis=0))
    usual = np.convolve(np.pad(usual, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    gains = 1 / np.maximum(usual, 1e-3 * usual.max() + 1e-9)
    kernel = np.roll(np.fft.irfft(gains), taps // 2) * np.hanning(taps)
    return np.convolve(heard.pcm, kernel, mode="same")


def _levels(sound: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Log power of each pitch in each window (windows, pitches), over its usual power."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(windows, axis=1)[:, 1:]) ** 2
    return np.asarray(np.log1p(power / (np.median(power, axis=0) + 1e-12)))


def _picked(sound: np.ndarray, rate_hz: int, near: int) -> int:
    """The sample at which the sound changes, near a first guess: the Akaike picker of seismology (Maeda 1985).

    It is where two pieces of noise, one before and one after, each of its own power, explain the sound best.
    """
    begin = max(0, near - round(_BEFORE_S * rate_hz))
    piece = sound[begin : near + round(_AFTER_S * rate_hz)].astype(np.float64)
    count = np.arange(1, len(piece))
    power = np.cumsum(piece**2)
    before, after = power[:-1] / count, (power[-1] - power[:-1]) / (len(piece) - count)
    criterion = count * np.log(before + 1e-12) + (len(piece) - count) * np.log(after + 1e-12)
    margin = round(0.002 * rate_hz)
    return begin + margin + int(np.argmin(criterion[margin:-margin])) + 1
