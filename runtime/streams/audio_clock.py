"""The audio clock: when each sample was sensed, estimated over the sample counter.

A sound card counts its samples evenly, but a block of them is seen late by a varying delay, hardly ever early, and the
card's second is not the computer's. So the delays against the nominal rate are gathered by half seconds, and a line is
laid through the lower quartiles of the last minute: least squares without outliers, the slope held near the last known
one while there is little to go by.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.senses.continuity import Continuity

_BUCKET_NS = NS_PER_S // 2
_BUCKETS = 120
_STEP_S = 0.03
_ODD = 3
_UNEVEN_S = 0.5 * _STEP_S
_MOST_UNEVEN = 10
_DRIFT_SIGMA = 300e-6
_NOISE_SIGMA_S = 1e-3
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class _Line:
    """delay [s] = offset + slope * nominal time [s]."""

    offset_s: float = 0.0
    slope: float = 0.0
    noise_s: float = _NOISE_SIGMA_S

    def at(self, nominal_s: float) -> float:
        return self.offset_s + self.slope * nominal_s


@dataclass(slots=True)
class _Bucket:
    """The blocks seen within half a second: nominal time of the first, and the delay of each [s]."""

    first_ns: int
    nominal_s: float
    delays_s: list[float] = field(default_factory=list)

    def low_s(self) -> float:
        """The lower quartile: moved neither by blocks that come late nor by a few that claim to be early."""
        return sorted(self.delays_s)[len(self.delays_s) // 4]

    def spread_s(self) -> float:
        """How far apart the middle half of the delays are."""
        return sorted(self.delays_s)[3 * len(self.delays_s) // 4] - self.low_s()


class AudioClock:
    """Maps the index of a sample to the monotonic time at which it was sensed, and counts what was lost.

    The index counts every sample since the first, also those lost; the card's own counter starts at 0 with each
    `begin`. Used by one thread; the numbers may be read from others.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._series = Continuity(rate_hz)
        self._origin_ns = 0
        self._begun = False
        self._next_counter = 0
        self._line = _Line()
        self._open: _Bucket | None = None
        self._closed: deque[tuple[float, float]] = deque(maxlen=_BUCKETS)
        self._odd: list[tuple[float, float]] = []
        self._uneven = 0
        self._spreads_s: deque[float] = deque(maxlen=_BUCKETS)

    @property
    def lost(self) -> int:
        """How many samples are missing between the first and the last."""
        return self._series.missing

    @property
    def drift_ppm(self) -> float:
        """By how much the card counts faster than its nominal rate, in millionths; 0 until there is an estimate."""
        return (1 / (1 + self._line.slope) - 1) * 1e6

    @property
    def jitter_ms(self) -> float:
        """The standard deviation of the delays with which blocks are seen; the estimated times hardly have any."""
        return float(np.median(self._spreads_s)) * 1e3 if self._spreads_s else 0.0

    def begin(self, stamp_ns: int) -> None:
        """The card starts anew with a sample sensed at `stamp_ns`; the time since the last one becomes a gap."""
        if self._begun:
            self._series.begin(0, stamp_ns - self.time_ns(self._series.next))
        else:
            self._origin_ns, self._begun = stamp_ns, True
        self._next_counter = 0
        self._open = None
        self._closed.clear()
        self._odd.clear()

    def index(self, counter: int, frames: int, stamp_ns: int) -> int:
        """The index of a block's first sample: the card's `counter`-th, seen as if sensed at `stamp_ns`.

        Where blocks come late from some moment on and stay so for half a second, samples were lost without a word, and
        the index skips as many. A block that was seen before is no observation.
        """
        if not self._begun:
            self.begin(stamp_ns)
        if counter >= self._next_counter:
            index = self._series.place(counter, frames, late_ns=0)
            self._next_counter = counter + frames
            self._observe(index, stamp_ns)
        return self._series.at(counter)

    def time_ns(self, index: float) -> int:
        """When a sample was sensed, on the monotonic clock [ns]; after the first `begin` or `index`."""
        nominal_s = index / self._rate_hz
        return self._origin_ns + round((nominal_s + self._line.at(nominal_s)) * NS_PER_S)

    def _observe(self, index: int, stamp_ns: int) -> None:
        if self._open is not None and stamp_ns - self._open.first_ns >= _BUCKET_NS:
            index += self._close(self._open)
            self._open = None
        nominal_s = index / self._rate_hz
        if self._open is None:
            self._open = _Bucket(stamp_ns, nominal_s)
        self._open.delays_s.append((stamp_ns - self._origin_ns) / NS_PER_S - nominal_s)
        if not self._closed:
            self._line = _fitted([(self._open.nominal_s, self._open.low_s())], self._line.slope)

    def _close(self, bucket: _Bucket) -> int:
        """One more point of the line; how many samples were lost, if the bucket says so instead.

        After a loss all blocks are late by the same. Where they are late by now more, now less, for up to five seconds,
        the computer is busy: what waits will come.
        """
        expected_s = self._line.at(bucket.nominal_s)
        late_s = min(bucket.delays_s) - expected_s
        if self._closed and late_s > _STEP_S:
            if bucket.spread_s() > _UNEVEN_S and self._uneven < _MOST_UNEVEN:
                self._uneven += 1
                return 0
            self._uneven = 0
            lost = round(late_s * self._rate_hz)
            self._series.skip(lost)
            return lost
        self._uneven = 0
        if bucket.low_s() < expected_s - _STEP_S:  # all before was seen late, such as by a sound server that woke up
            self._closed.clear()
        self._spreads_s.append(float(np.std(bucket.delays_s)))
        self._take(bucket.nominal_s, bucket.low_s(), bucket.low_s() - expected_s)
        return 0

    def _take(self, nominal_s: float, low_s: float, off_s: float) -> None:
        """One more point of the line, unless it is off; three in a row that are off move the line but do not turn it.

        A sound server's delay is in whole buffers: when it changes by one, the card's rate has not changed. A quartile
        of 25 blocks strays by 0.12 of their own spread; five times that is off.
        """
        usual_s = max(3 * self._line.noise_s, 0.6 * float(np.median(self._spreads_s)))
        off = len(self._closed) >= _ODD and abs(off_s) > usual_s
        if off and len(self._odd) + 1 < _ODD:
            self._odd.append((nominal_s, low_s))
            return
        if off:
            points = [(at_s, delay_s + off_s) for at_s, delay_s in self._closed]
            self._closed.clear()
            self._closed.extend(points + self._odd)
        self._odd.clear()
        self._closed.append((nominal_s, low_s))
        self._line = _fitted(self._closed, self._line.slope)


def _fitted(points: deque[tuple[float, float]] | list[tuple[float, float]], slope: float) -> _Line:
    """The line through (nominal time, delay), outliers left out; the slope is a priori `slope` give or take 300 ppm.

    A Gaussian prior on the slope is ridge regression: Hastie et al., The Elements of Statistical Learning, 3.4.1.
    """
    nominal_s, delay_s = np.array(points).T
    line = _ridge(nominal_s, delay_s, slope, _NOISE_SIGMA_S)
    for _ in range(2):
        misfit_s = np.abs(delay_s - line.offset_s - line.slope * nominal_s)
        noise_s = max(_NOISE_SIGMA_S, _MAD_TO_SIGMA * float(np.median(misfit_s)))
        fit = misfit_s <= 3 * noise_s
        line = _ridge(nominal_s[fit], delay_s[fit], slope, noise_s)
    return line


def _ridge(nominal_s: np.ndarray, delay_s: np.ndarray, slope: float, noise_s: float) -> _Line:
    centre_s = nominal_s.mean()
    from_centre_s = nominal_s - centre_s
    rest_s = delay_s - slope * nominal_s
    weight = (noise_s / _DRIFT_SIGMA) ** 2
    fitted = slope + float(from_centre_s @ rest_s / (from_centre_s @ from_centre_s + weight))
    return _Line(float(delay_s.mean() - fitted * centre_s), fitted, noise_s)
