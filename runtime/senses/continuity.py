"""Continuity: which sample comes after which, whatever their source does.

A source may lose samples, deliver one late, count anew (its driver was restarted), or have its time set back (a bag
that loops, a clock that was reset). What that means is decided here and nowhere else.
"""

from __future__ import annotations

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import NS_PER_S

_SET_BACK_AFTER = 3
"""Samples in a row, in order among themselves, that show that time was set back. One or two come late now and then; two
sources on one topic, one of which lags behind, take turns."""

_JITTER_NS = NS_PER_S // 4
"""Blocks that nobody counted come early or late by less than this; more is a gap."""


class SetBack(Exception):
    """Time was set back for good, by `by_ns`: what was sensed before is of another time.

    None: the source says so itself, and has said by how much.
    """

    def __init__(self, by_ns: int | None) -> None:
        super().__init__("begins anew" if by_ns is None else f"went back by {by_ns / NS_PER_S:.1f} s")
        self.by_ns = by_ns


class StampOrder:
    """The order of one source's stamps. Used by one thread at a time."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._late_ns: int | None = None
        self._late_in_a_row = 0

    def check(self, stamp_ns: int) -> None:
        """Raises SampleError for a sample that is not after the last one, and SetBack once it is clear that time is."""
        if self._last_ns is None or stamp_ns > self._last_ns:
            return
        goes_on = self._late_ns is not None and stamp_ns > self._late_ns
        self._late_in_a_row = self._late_in_a_row + 1 if goes_on else 1
        self._late_ns = stamp_ns
        behind_ns = self._last_ns - stamp_ns
        if self._late_in_a_row >= _SET_BACK_AFTER:
            raise SetBack(behind_ns)
        late = f"is stamped {behind_ns / 1e6:.1f} ms before the last one" if behind_ns else "has the last one's stamp"
        raise SampleError(late, "out_of_order")

    def accept(self, stamp_ns: int) -> None:
        """A sample that was checked is the last one now."""
        self._last_ns, self._late_ns = stamp_ns, None


class Continuity:
    """Numbers the samples of one series in a count that never goes back, and counts those that are missing.

    The series' own index is kept as long as its source does not count anew. Used by one thread at a time; `missing` may
    be read from others.
    """

    def __init__(self, rate_hz: float) -> None:
        self.missing = 0
        self._rate_hz = rate_hz
        self._next = 0
        self._ahead: int | None = None  # our count, less the source's own

    def place(self, index: int | None, count: int, late_ns: int) -> int:
        """Where a block of `count` samples begins in our count; the source's own count says `index`, if it has one.

        `late_ns` is how long after the end of the block before it this one was sensed. It decides where nobody counts,
        or where the count goes back: then the source was restarted, and the time between is a gap. Raises SampleError
        where it overlaps what was there already.
        """
        if self._ahead is None:
            self.begin(0 if index is None else index)
        elif index is None:
            self.skip(self._samples(late_ns) if late_ns > _JITTER_NS else 0)
        elif self.at(index) < self._next:
            self._check_counts_anew(index, count, late_ns)
            self.begin(index, late_ns)
        placed = self._next if index is None else self.at(index)
        self.missing += placed - self._next
        self._next = placed + count
        return placed

    def begin(self, index: int, late_ns: int = 0) -> None:
        """The source counts anew, from `index` on, so long after the end of what was there."""
        if self._ahead is None:
            self._next = index
        else:
            self.skip(self._samples(max(0, late_ns)))
        self._ahead = self._next - index

    def skip(self, samples: int) -> None:
        """So many samples were lost without a word: the source did not count them."""
        self.missing += samples
        self._next += samples
        self._ahead = (self._ahead or 0) + samples

    def at(self, index: int) -> int:
        """In our count, what the source counts as `index`."""
        return index + (self._ahead or 0)

    @property
    def next(self) -> int:
        """Where the next block begins, in our count, if nothing is missing."""
        return self._next

    def _check_counts_anew(self, index: int, count: int, late_ns: int) -> None:
        """Raises SampleError if the stamp goes back as far as the count does, or within the block before."""
        back_ns = (self._next - self.at(index)) * NS_PER_S / self._rate_hz
        half_ns = count * NS_PER_S / self._rate_hz / 2
        if late_ns < -half_ns or abs(late_ns + back_ns) < half_ns:
            raise SampleError(f"begins {back_ns / 1e6:.0f} ms before the end of the last one", "out_of_order")

    def _samples(self, duration_ns: int) -> int:
        return round(duration_ns * self._rate_hz / NS_PER_S)
