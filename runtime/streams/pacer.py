"""A pacer: lets a thread that stands for a sensor go on just when the next sample would have been sensed."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.streams.bell import Bell

_TIMER_SLACK_NS = 1
_LAST_PART_NS = 5_000_000


class Pacer:
    """Waited on by one thread, stopped by any."""

    def __init__(self) -> None:
        self.stopped = False
        self._end = Bell()

    def wait_until(self, due_ns: int) -> None:
        """Sleep until that time of the monotonic clock, if it is not over; no longer than until the pacer is stopped.

        In two parts, for a thread that reads the clock just when others want its processor falls asleep late, and would
        then sleep that much too long.
        """
        for moment_ns in (due_ns - _LAST_PART_NS, due_ns):
            early_ns = moment_ns - time.monotonic_ns()
            if early_ns > 0 and not self.stopped:
                self._end.wait(early_ns / NS_PER_S)

    def stop(self) -> None:
        """From now on nothing is waited for."""
        self.stopped = True
        self._end.ring()


def wake_on_time() -> None:
    """Linux ends a thread's sleep up to 50 us late, to save power; not of the calling one from now on."""
    with suppress(OSError):
        Path(f"/proc/{threading.get_native_id()}/timerslack_ns").write_text(str(_TIMER_SLACK_NS))
