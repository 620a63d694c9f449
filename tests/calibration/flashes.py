"""Clips whose truth is known: a lamp that flashes and beeps in a noisy room, filmed and recorded by two clocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefuse.runtime.samples import AudioChunk, Frame

RATE_HZ = 16_000
_PERIOD_S = 1 / 30
_LIT_S, _BEEP_S = 0.12, 0.08


@dataclass(frozen=True, slots=True)
class Clocks:
    """By how much sound is stamped late [ms], at the beginning, and how that grows [millionths of the time]."""

    offset_ms: float
    drift_ppm: float = 0.0

    def late_ms(self, at_s: float) -> float:
        """That long after the beginning."""
        return self.offset_ms + self.drift_ppm * 1e-3 * at_s


def moments(seconds: float, rng: np.random.Generator, every_s: float = 0.9) -> np.ndarray:
    """When it flashes and beeps, irregularly as a hand does it."""
    steps = rng.uniform(0.6 * every_s, 1.4 * every_s, int(2 * seconds / every_s))
    times = 0.7 + np.cumsum(steps)
    return times[times < seconds - 0.7]


def frames(times: np.ndarray, seconds: float, rng: np.random.Generator, exposure_s: float = 0.01) -> list[Frame]:
    """A dim room at 30 Hz, stamped at the end of each exposure, with sensor noise, jitter and a lamp in a corner."""
    room = rng.uniform(40, 120, (48, 64, 1))
    filmed = []
    for index in range(int(seconds / _PERIOD_S)):
        stamp_s = (index + 1) * _PERIOD_S + rng.normal(0, 0.0005)
        lit_s = np.minimum(stamp_s, times + _LIT_S) - np.maximum(stamp_s - exposure_s, times)
        light = 90 * float(np.clip(lit_s, 0, None).sum()) / exposure_s
        picture = room + 0.05 * light + rng.normal(0, 8, (48, 64, 3))
        picture[5:15, 40:55] += light
        filmed.append(Frame(round(stamp_s * 1e9), np.clip(picture, 0, 255).astype(np.uint8)))
    return filmed


def chunks(
    times: np.ndarray, seconds: float, clocks: Clocks, snr_db: float, rng: np.random.Generator
) -> list[AudioChunk]:
    """Beeps in hum and babble-like noise, in chunks of 20 ms, stamped by a clock that is late and drifts."""
    count = int(seconds * RATE_HZ)
    pcm = _noise(count, rng)
    for at_s in times:
        begin = round(at_s * RATE_HZ)
        t = np.arange(round(_BEEP_S * RATE_HZ)) / RATE_HZ
        beep = (
            np.sin(2 * np.pi * rng.uniform(900, 2500) * t)
            * np.minimum(1, t / 0.002)
            * np.minimum(1, (t[-1] - t) / 0.01)
        )
        pcm[begin : begin + len(t)] += 0.1 * 10 ** (snr_db / 20) * np.sqrt(2) * beep[: count - begin]
    pieces = []
    for first in range(0, count, 320):
        at_s = first / RATE_HZ
        stamp_ns = round(at_s * 1e9 + clocks.late_ms(at_s) * 1e6) + 1_000_000_000
        pieces.append(AudioChunk(stamp_ns, np.clip(pcm[first : first + 320], -1, 1).astype(np.float32), RATE_HZ, first))
    return pieces


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """RMS 0.1: low-pass noise whose loudness wavers like voices, and mains hum."""
    white = rng.normal(0, 1, count)
    soft = np.convolve(white, np.exp(-np.arange(40) / 8), mode="same")
    waver = 1 + 0.4 * np.interp(np.arange(count), np.arange(0, count, 1600), rng.normal(0, 1, -(-count // 1600)))
    hum = np.sin(2 * np.pi * 100 * np.arange(count) / RATE_HZ)
    noise = soft * np.abs(waver) / soft.std() + 0.5 * hum + 0.1 * white
    return np.asarray(0.1 * noise / noise.std())


def clip(
    clocks: Clocks, seed: int, seconds: float = 30.0, snr_db: float = 6.0, events: bool = True, exposure_s: float = 0.01
) -> list[Frame | AudioChunk]:
    """The samples of both, in the order of their stamps, which begin at 1 s."""
    rng = np.random.default_rng(seed)
    times = moments(seconds, rng) if events else np.empty(0)
    filmed = frames(times, seconds, rng, exposure_s)
    shifted = [Frame(frame.stamp_ns + 1_000_000_000, frame.image) for frame in filmed]
    return sorted([*shifted, *chunks(times, seconds, clocks, snr_db, rng)], key=lambda sample: sample.until_ns)
