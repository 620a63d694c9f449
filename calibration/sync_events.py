"""Offset and drift from events that were both seen and heard.

A frame says only that something happened since the frame before it. So an event bounds the offset to an interval; many
events, at different moments between two frames, leave little room: the offset is known far better than a frame lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, factorial

import numpy as np

from edgefuse.calibration.onsets import HeardOnsets, SeenOnsets
from edgefuse.runtime.errors import CalibrationError

FEWEST_EVENTS = 5
LARGEST_DRIFT = 500e-6
_JITTER_S = 0.0015  # of a heard onset, and of a frame's stamp
_MISTAKEN = 0.02  # how probable it is that a pair is none
_MATCHED_SHARE = 0.5  # of the fewer of seen and heard events
_RIVAL = 0.6
_BY_CHANCE = 1e-3
_POINTS = 121
ADVICE = f"flash and beep, or clap, {2 * FEWEST_EVENTS} times or more, at irregular intervals, in view and in earshot"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Events seen in (`after_s`, `until_s`] and heard at `heard_s`, each (events,)."""

    after_s: np.ndarray
    until_s: np.ndarray
    heard_s: np.ndarray

    @property
    def lags_s(self) -> np.ndarray:
        """Heard minus the middle of seen."""
        return np.asarray(self.heard_s - (self.after_s + self.until_s) / 2)

    @property
    def frame_s(self) -> float:
        """How long most events were unseen at most."""
        return float(np.median(self.until_s - self.after_s))


@dataclass(frozen=True, slots=True)
class Lag:
    """By how much sound is late: `offset_s` at `at_s`, growing by `drift` (a ratio); standard deviations of both."""

    offset_s: float
    offset_sd_s: float
    drift: float
    drift_sd: float
    at_s: float


def match(seen: SeenOnsets, heard: HeardOnsets, most_s: float) -> Pairs:
    """Which onsets are one event, if the lag is `most_s` at most; raises CalibrationError where none is clear."""
    counts = f"{len(seen.until_s)} events were seen and {len(heard.times_s)} heard"
    few = min(len(seen.until_s), len(heard.times_s))
    if few < FEWEST_EVENTS:
        raise CalibrationError(f"{counts}, {FEWEST_EVENTS} at least: {ADVICE}")
    candidates = _candidates(seen, heard, most_s)
    best, rival = _vote(candidates, most_s)
    votes = len(best.heard_s)
    if votes < max(FEWEST_EVENTS, _MATCHED_SHARE * few) or not _beyond_chance(votes, candidates, most_s):
        raise CalibrationError(f"{counts}, but only {votes} agree on one offset: {ADVICE}")
    if rival > _RIVAL * votes:
        raise CalibrationError(
            f"two offsets explain the events about as well ({votes} and {rival} of them): flash or clap irregularly"
        )
    return best


def fit(pairs: Pairs) -> Lag:
    """Mean and spread of all the lines that the pairs allow, some of which may be mistaken."""
    at_s = float((pairs.heard_s.min() + pairs.heard_s.max()) / 2)
    since = pairs.heard_s - at_s
    spread = max(float(np.sqrt(np.sum(since**2))), 1e-9)
    drift, drift_reach = 0.0, min(LARGEST_DRIFT, 3 * pairs.frame_s / spread)
    drift = float(
        np.clip(np.sum(since * (pairs.lags_s - pairs.lags_s.mean())) / spread**2, -LARGEST_DRIFT, LARGEST_DRIFT)
    )
    offset, offset_reach = float(np.median(pairs.lags_s - drift * since)), 1.5 * pairs.frame_s
    for _ in range(2):
        offsets = offset + np.linspace(-1, 1, _POINTS) * offset_reach
        drifts = drift + np.linspace(-1, 1, _POINTS) * drift_reach
        chances = _chances(pairs, since, offsets, drifts)
        offset, offset_sd = _moments(offsets, chances.sum(axis=1))
        drift, drift_sd = _moments(drifts, chances.sum(axis=0))
        offset_reach, drift_reach = 5 * offset_sd, 5 * drift_sd
    return Lag(offset, offset_sd, drift, drift_sd, at_s)


def _candidates(seen: SeenOnsets, heard: HeardOnsets, most_s: float) -> Pairs:
    """All pairs that could be one event."""
    apart = heard.times_s[None] - (seen.after_s + seen.until_s)[:, None] / 2
    first, second = np.nonzero(np.abs(apart) <= most_s)
    return Pairs(seen.after_s[first], seen.until_s[first], heard.times_s[second])


def _vote(candidates: Pairs, most_s: float) -> tuple[Pairs, int]:
    """The most pairs whose lags fit one line, and how many fit the next best, apart from it."""
    if not len(candidates.heard_s):
        return candidates, 0
    width = _width(candidates)
    since = candidates.heard_s - candidates.heard_s.mean()
    half_span = max(float(np.abs(since).max()), 1e-9)
    steps = 1 + 2 * int(np.ceil(4 * LARGEST_DRIFT * half_span / width))
    polls = []
    for drift in np.linspace(-1, 1, steps) * LARGEST_DRIFT if steps > 1 else [0.0]:
        lags = candidates.lags_s - drift * since
        order = np.sort(lags)
        polls.append((order, np.searchsorted(order, order + width) - np.arange(len(order)), lags))
    order, votes, lags = max(polls, key=lambda poll: int(poll[1].max()))
    low = order[int(np.argmax(votes))]
    chosen = (lags >= low) & (lags < low + width)
    rivals = [int(v[np.abs(o - low) > 2 * width].max(initial=0)) for o, v, _ in polls]
    return Pairs(candidates.after_s[chosen], candidates.until_s[chosen], candidates.heard_s[chosen]), max(rivals)


def _width(candidates: Pairs) -> float:
    """How far apart the lags of pairs may be that are of one line."""
    return candidates.frame_s + 6 * _JITTER_S


def _beyond_chance(votes: int, candidates: Pairs, most_s: float) -> bool:
    """Whether unrelated onsets would hardly ever agree so often, at whatever lag (Poisson)."""
    windows = 2 * most_s / _width(candidates)
    usual = max(len(candidates.heard_s) - votes, 1) / windows
    fewer = sum(usual**count / factorial(count) for count in range(votes)) * exp(-usual)
    return windows * (1 - fewer) < _BY_CHANCE


def _chances(pairs: Pairs, since: np.ndarray, offsets: np.ndarray, drifts: np.ndarray) -> np.ndarray:
    """How likely each line is, (offsets, drifts), summing up to 1: it must pass through the pairs' intervals."""
    lag = offsets[:, None, None] + drifts[None, :, None] * since
    above = _probability((lag - (pairs.heard_s - pairs.until_s)) / _JITTER_S)
    below = _probability((lag - (pairs.heard_s - pairs.after_s)) / _JITTER_S)
    logarithms = np.log((1 - _MISTAKEN) * (above - below) + _MISTAKEN).sum(axis=-1)
    chances = np.exp(logarithms - logarithms.max())
    return np.asarray(chances / chances.sum())


def _probability(deviations: np.ndarray) -> np.ndarray:
    """The normal distribution, to 1 %: its logistic approximation."""
    return np.asarray(1 / (1 + np.exp(np.clip(-1.702 * deviations, -60, 60))))


def _moments(values: np.ndarray, chances: np.ndarray) -> tuple[float, float]:
    mean = float(values @ chances)
    return mean, float(np.sqrt(((values - mean) ** 2) @ chances))
