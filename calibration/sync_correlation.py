"""Offset and drift without single events: what begins to be heard goes with what begins to be seen.

Each onset that is heard asks the picture what began in the frame of its moment, for every offset; the sum over all
onsets is their cross-correlation, without the steps that sampling both on one grid would make.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefuse.calibration.onsets import HeardOnsets, SeenOnsets
from edgefuse.calibration.sync_events import LARGEST_DRIFT, Lag
from edgefuse.runtime.errors import CalibrationError

FEWEST_ONSETS = 20
_STEP_S = 0.002
_DRIFT_STEP_S = 0.005
_LOUDEST = 3.0  # times the median: no onset outweighs the others
_NEAR_S = 0.1
_PEAK_SD = 6.0
_RIVAL = 0.7
_BLOCKS = 16
_DRAWS = 80
_STEADY_S = 0.03
_STEADY_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Correlogram:
    """How well sound and picture go together, `values`, by `offsets_s`, in standard deviations off the peak."""

    offsets_s: np.ndarray
    values: np.ndarray


def correlate(seen: SeenOnsets, heard: HeardOnsets, most_s: float) -> tuple[Lag, Correlogram]:
    """The lag, `most_s` at most, and the curve it is the peak of; raises CalibrationError where no peak stands out."""
    if len(heard.times_s) < FEWEST_ONSETS:
        raise CalibrationError(f"{len(heard.times_s)} onsets were heard, {FEWEST_ONSETS} at least, to be correlated")
    at_s = float((heard.times_s.min() + heard.times_s.max()) / 2)
    offsets = np.arange(-2 * most_s, 2 * most_s + _STEP_S, _STEP_S)
    drifts = _drifts(float(np.max(np.abs(heard.times_s - at_s))))
    blocks = np.stack([_answers(seen, heard, offsets, drift, at_s) for drift in drifts])
    total = blocks.sum(axis=1)
    row, peak = np.unravel_index(np.argmax(np.where(np.abs(offsets) <= most_s, total, -np.inf)), total.shape)
    curve = _standardized(total[row], offsets, offsets[peak])
    _check_peak(curve, offsets, offsets[peak])
    return _resampled(blocks, offsets, drifts, most_s, at_s), Correlogram(offsets, curve)


def _drifts(reach_s: float) -> np.ndarray:
    """So many that between two of them nothing moves by more than 5 ms."""
    steps = int(np.ceil(LARGEST_DRIFT * reach_s / _DRIFT_STEP_S))
    return np.linspace(-LARGEST_DRIFT, LARGEST_DRIFT, 2 * steps + 1)


def _answers(seen: SeenOnsets, heard: HeardOnsets, offsets: np.ndarray, drift: float, at_s: float) -> np.ndarray:
    """What began to be seen as the onsets were heard, (blocks, offsets): the onsets of a while are one block."""
    began = _began(seen.strength)
    moments = (heard.times_s - drift * (heard.times_s - at_s))[:, None] - offsets
    frames = np.searchsorted(seen.times_s, moments)
    inside = (frames > 0) & (frames < len(began))
    loudness = np.minimum(heard.strength, _LOUDEST * np.median(heard.strength))
    answers = np.where(inside, began[np.minimum(frames, len(began) - 1)], 0.0) * loudness[:, None]
    firsts = np.linspace(0, len(answers), _BLOCKS, endpoint=False).astype(int)
    return np.apply_along_axis(np.convolve, 1, np.add.reduceat(answers, firsts), _frame_kernel(seen), mode="same")


def _began(strength: np.ndarray) -> np.ndarray:
    """How much began with each frame, (frames,), mean 0: a first glimpse counts, what goes on from there does not."""
    level = np.log1p(np.maximum(strength, 0))
    rise = np.maximum(np.diff(level, prepend=level[0]), 0)
    began = np.maximum(rise - np.append(0, rise[:-1]), 0)
    return np.asarray(began - began.mean())


def _frame_kernel(seen: SeenOnsets) -> np.ndarray:
    """As long as a frame lasts, so that a peak stands in the middle of what its frames allow."""
    count = max(1, round(float(np.median(np.diff(seen.times_s))) / _STEP_S)) | 1
    return np.ones(count) / count


def _standardized(values: np.ndarray, offsets: np.ndarray, peak_s: float) -> np.ndarray:
    """In standard deviations of the curve away from its peak."""
    away = values[np.abs(offsets - peak_s) > _NEAR_S]
    return np.asarray((values - away.mean()) / max(float(away.std()), 1e-12))


def _check_peak(curve: np.ndarray, offsets: np.ndarray, peak_s: float) -> None:
    height = float(curve[np.abs(offsets - peak_s) < _STEP_S].max())
    rival = float(curve[np.abs(offsets - peak_s) > _NEAR_S].max())
    if height < _PEAK_SD or rival > _RIVAL * height:
        raise CalibrationError(
            f"sound and picture do not go together clearly at any offset (peak {height:.1f} standard deviations, "
            f"{_PEAK_SD:.0f} at least; next peak {rival:.1f})"
        )


def _resampled(blocks: np.ndarray, offsets: np.ndarray, drifts: np.ndarray, most_s: float, at_s: float) -> Lag:
    """Mean and spread of the peak when blocks are drawn anew (bootstrap); raises CalibrationError where it jumps."""
    rng = np.random.default_rng(0)
    weights = rng.multinomial(_BLOCKS, np.full(_BLOCKS, 1 / _BLOCKS), _DRAWS).astype(float)
    allowed = np.abs(offsets) <= most_s
    found = np.array(
        [_peak(np.tensordot(blocks, one, (1, 0))[:, allowed], offsets[allowed], drifts) for one in weights]
    )
    middle = float(np.median(found[:, 0]))
    steady = np.abs(found[:, 0] - middle) < _STEADY_S
    if steady.mean() < _STEADY_SHARE:
        raise CalibrationError(f"only {steady.mean():.0%} of the recording's parts agree on one offset")
    offset, drift = found[steady].mean(axis=0)
    offset_sd, drift_sd = found[steady].std(axis=0)
    step = float(drifts[1] - drifts[0]) if len(drifts) > 1 else 2 * LARGEST_DRIFT
    return Lag(float(offset), float(offset_sd), float(drift), max(float(drift_sd), step / np.sqrt(12)), at_s)


def _peak(table: np.ndarray, offsets: np.ndarray, drifts: np.ndarray) -> tuple[float, float]:
    """Offset and drift of the highest point of (drifts, offsets): the middle of all that is nearly as high."""
    row, _ = np.unravel_index(np.argmax(table), table.shape)
    height = table[row].max()
    near = np.abs(offsets - offsets[np.argmax(table[row])]) < _NEAR_S / 2
    weights = np.maximum(table[row] - 0.7 * height, 0) * near
    return float(offsets @ weights / weights.sum()), float(drifts[row])
