"""A pump: the thread that takes a stream's samples and hands them to whoever publishes or perceives them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgefuse.runtime import Sample, Stream
from edgefuse.runtime.streams import StreamHealth, StreamState
from edgefuse_ros.faults import Faults

_RETRY_S = 1.0
_JOIN_TIMEOUT_S = 5.0


class Pump:
    """Opens a stream and keeps it open until `close`; a device that is not there yet is tried again every second."""

    def __init__(self, name: str, open_stream: Callable[[], Stream], take: Callable[[Sample], None], faults: Faults):
        self._name = name
        self._open_stream = open_stream
        self._take = take
        self._faults = faults
        self._stream: Stream | None = None
        self._samples = 0
        self._ended = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pump of {name}", daemon=True)
        self._thread.start()

    @property
    def health(self) -> StreamHealth:
        """The stream's own, or while it cannot be opened, what the pump knows."""
        health = getattr(self._stream, "health", None)
        if isinstance(health, StreamHealth):
            return health
        return StreamHealth(self._name, self._state, 0, self._faults.last(self._name), self._samples, 0)

    @property
    def _state(self) -> StreamState:
        if self._ended:
            return "ended"
        if self._stream is None:
            return "lost"
        return "live" if self._samples else "starting"

    def close(self) -> None:
        """Close the stream and join the thread."""
        self._closing.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(_JOIN_TIMEOUT_S)

    def _run(self) -> None:
        while not self._closing.is_set() and not self._ended:
            with self._faults.border(self._name):
                self._pump()
                self._ended = True
                return
            self._stream = None
            self._closing.wait(_RETRY_S)

    def _pump(self) -> None:
        self._stream = self._open_stream()
        if self._closing.is_set():  # while it was opened, when there was nothing to close yet
            self._stream.close()
        self._stream.feed(self._pass_on)

    def _pass_on(self, sample: Sample) -> None:
        if not self._closing.is_set():
            self._samples += 1
            with self._faults.border(self._name):
                self._take(sample)
