"""A run: all that a perceiver forgets when it begins anew. What lives as long as the bundle is the perceiver's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgefuse.runtime.corrections.corrections import Corrections
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.heads.drift import Drift
from edgefuse.runtime.intake import Intake
from edgefuse.runtime.schedule import Schedule
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.tokens import TokenStore


@dataclass(slots=True)
class Run:
    """From the first sample to the end of `perceive()`, or until time is set back; then another goes on with its drops.

    `clocked`: its samples are stamped on the perceiver's clock. `set_back`: it goes on from another run, since whose
    beginning time was set back so often. `closed`: it is to end. `over`: it has ended, and the next sample belongs to
    another run.
    """

    clocked: bool
    intake: Intake
    tokens: TokenStore
    schedule: Schedule
    drift: Drift | None
    corrections: Corrections | None
    drops: Drops
    set_back: int = 0
    closed: bool = False
    over: bool = False


class Runs:
    """One run after another. Thread-safe.

    `begin` makes a run with nothing in it, clocked or not; one that goes on after time was set back gets the drops of
    the run before.
    """

    def __init__(self, begin: Callable[[bool, Drops | None], Run]) -> None:
        self._begin = begin
        self._perceiving = threading.Lock()
        self._changing = threading.Lock()
        self.newest = begin(True, None)

    def for_next_sample(self) -> Run:
        """The newest run, or another one if that is over."""
        if self.newest.over:
            with self._changing:
                if self.newest.over:
                    self.newest = self._begin(True, None)
        return self.newest

    @contextmanager
    def perceiving(self, clocked: bool) -> Iterator[None]:
        """One run; samples that came since the last one ended are its first, if they are on the same clock.

        Raises EdgefuseError while another goes on.
        """
        self.check_idle()
        with self._perceiving:
            try:
                with self._changing:
                    if self.newest.over or self.newest.clocked != clocked:
                        self.newest = self._begin(clocked, None)
                yield
            finally:
                with self._changing:
                    self.newest.over = True

    def check_idle(self) -> None:
        """Raises EdgefuseError while a run goes on."""
        if self._perceiving.locked():
            raise EdgefuseError(
                "this perceiver is perceiving already: end that run first (`close()` the iterator that perceive() "
                "gave), or open another perceiver"
            )

    def set_back(self, run: Run) -> Run:
        """The run that goes on where time was set back in `run`; another thread may have begun it already."""
        with self._changing:
            if self.newest is run:
                self.newest = self._begin(run.clocked, run.drops)
                self.newest.set_back = run.set_back + 1
                self.newest.closed = run.closed
            return self.newest

    def close(self) -> None:
        """Tell the newest run to end, unless it is over."""
        with self._changing:
            self.newest.closed = not self.newest.over
