"""The outlet of a stream: where samples wait between the thread that reads the device and whoever iterates."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

S = TypeVar("S")


class Outlet(Generic[S]):
    """Holds the newest `capacity` samples; what is overtaken is dropped and counted. Thread-safe, never blocks `put`.

    Video holds one. Sound holds seconds, and what is dropped of it all the same shows as a gap in `index`.
    """

    def __init__(self, capacity: int) -> None:
        self.overtaken = 0
        self._waiting: deque[S] = deque(maxlen=capacity)
        self._take: Callable[[S], object] | None = None
        self._changed = threading.Condition()
        self._ended = False

    def put(self, sample: S) -> None:
        """Hand in the newest sample."""
        with self._changed:
            take = self._take
            if take is None:
                self.overtaken += len(self._waiting) == self._waiting.maxlen
                self._waiting.append(sample)
                self._changed.notify()
        if take is not None:
            take(sample)

    def lead_to(self, take: Callable[[S], object]) -> None:
        """From now on `put` calls `take`, and nothing waits here; what waits already is handed out first."""
        with self._changed:
            while self._waiting:
                take(self._waiting.popleft())
            self._take = take

    def end(self) -> None:
        """No more will come; what waits is still handed out."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """End at once, without what waits."""
        with self._changed:
            self._waiting.clear()
        self.end()

    def __iter__(self) -> Iterator[S]:
        """The samples, oldest first, waiting for each until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or bool(self._waiting))
                if not self._waiting:
                    return
                sample = self._waiting.popleft()
            yield sample
