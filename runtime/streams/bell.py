"""A bell: what one thread waits for and others ring."""

from __future__ import annotations

import threading
from contextlib import suppress


class Bell:
    """Wakes the one thread that waits; rung while nobody does, once or often, it wakes the next wait at once.

    Lighter than an Event, which takes three locks for it, just where a percept waits.
    """

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Thread-safe."""
        with suppress(RuntimeError):  # it was rung before
            self._silence.release()

    def wait(self, timeout_s: float = -1) -> None:
        """Until it is rung, then it is silent again; or for that long, by default for ever."""
        self._silence.acquire(timeout=timeout_s)
