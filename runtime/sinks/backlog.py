"""A backlog: slow work (encoding, writing) on what other threads hand over, in one thread of its own."""

from __future__ import annotations

import errno
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from edgefuse.runtime.errors import in_one_line
from edgefuse.runtime.samples import Frame

_FRAMES_WAITING = 30
_IDLE_S = 1.0
_JOIN_TIMEOUT_S = 60.0
_T = TypeVar("_T")

log = logging.getLogger(__name__)


class Backlog(Generic[_T]):
    """Calls `work` with each item in the order of `put`, and `idle` after a second without any.

    At most 30 frames wait: when the work is too slow, further ones are dropped and counted. Sound, text and percepts
    are small and never dropped. An OSError in the work, such as a full disk, ends it: `close` raises it, until then
    items are discarded. Any other exception is that item's own fault: it is counted and said, and the work goes on.
    """

    def __init__(self, name: str, work: Callable[[_T], None], idle: Callable[[], None] = lambda: None) -> None:
        self.dropped_frames = 0
        self.skipped = 0
        self._kinds: set[type[Exception]] = set()
        self._name = name
        self._work = work
        self._idle = idle
        self._items: queue.SimpleQueue[_T | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_FRAMES_WAITING)
        self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: _T, wait: bool = False) -> None:
        """Hand over an item, which nobody may change from then on. Does not block unless told to `wait` for room."""
        if self._closed or self._error is not None:
            return
        if isinstance(item, Frame) and not self._room.acquire(blocking=wait):
            self._drop()
            return
        self._items.put(item)

    def close(self) -> None:
        """Finish what waits and end the thread; raises the exception that ended the work. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._items.put(None)
        self._thread.join(_JOIN_TIMEOUT_S)
        if self.dropped_frames:
            log.warning("%s: %d frames in all were dropped", self._name, self.dropped_frames)
        if self.skipped:
            log.warning("%s: %d samples in all were left out", self._name, self.skipped)
        if self._thread.is_alive():
            raise TimeoutError(errno.ETIMEDOUT, f"{self._name} did not finish within {_JOIN_TIMEOUT_S:.0f} s")
        if self._error is not None:
            raise self._error

    def _drop(self) -> None:
        if not self.dropped_frames:
            log.warning("%s is too slow: frames are dropped (more are only counted)", self._name)
        self.dropped_frames += 1

    def _run(self) -> None:
        while True:
            try:
                item = self._items.get(timeout=_IDLE_S)
            except queue.Empty:
                self._attempt(self._idle)
                continue
            if item is None:
                return
            self._attempt(partial(self._work, item))
            if isinstance(item, Frame):
                self._room.release()

    def _attempt(self, step: Callable[[], None]) -> None:
        if self._error is not None:
            return
        try:
            step()
        except OSError as error:  # close() raises it
            self._error = error
            log.error("%s has stopped, the rest goes on: %s", self._name, error)
        except Exception as error:  # the border of a thread, and of one item
            self._skip(error)

    def _skip(self, error: Exception) -> None:
        self.skipped += 1
        if type(error) not in self._kinds:
            self._kinds.add(type(error))
            log.warning("%s: a sample was left out (more such are only counted): %s", self._name, in_one_line(error))
