"""The stream of a device: a watchdog reads it and hands what it sensed to a perceiver, or to an outlet for
whoever iterates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from edgefuse.runtime.samples import AudioChunk, Frame
from edgefuse.runtime.streams import Stream, StreamHealth, StreamState
from edgefuse.runtime.streams.outlet import Outlet
from edgefuse.runtime.streams.watchdog import Device, Patience, Watchdog

if TYPE_CHECKING:
    from typing_extensions import Self  # of typing from Python 3.11 on

S = TypeVar("S", Frame, AudioChunk)


class DeviceStream(Stream, Generic[S]):
    """What a camera and a microphone have in common: a live Stream that comes back when its device does.

    Entering it, or iterating, opens the device; StreamError if that fails. Later losses are states, see `health`.
    """

    live = True

    def __init__(
        self,
        device: Device[S],
        capacity: int,
        patience: Patience | None = None,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self._outlet: Outlet[S] = Outlet(capacity)
        self._watchdog: Watchdog[S] = Watchdog(device, self._outlet.put, self._outlet.end, patience, interrupt)
        self.name = device.name

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[S]:
        """The samples, until `close` or the end of a file; for one iterator at a time."""
        self._watchdog.start()
        yield from self._outlet
        self._watchdog.raise_failure()

    def feed(self, take: Callable[[S], object]) -> None:
        """See Stream. The device is read in this thread, unless it was entered: then in the thread that opened it."""
        self._outlet.lead_to(take)
        self._watchdog.run()
        self._watchdog.raise_failure()

    def close(self) -> None:
        """See Stream; waits until the device is let go."""
        self._outlet.close()
        self._watchdog.stop()

    @property
    def state(self) -> StreamState:
        """starting, live, stalled, lost, reconnecting or ended."""
        return self._watchdog.state

    @property
    def health(self) -> StreamHealth:
        """The state with its counts, for diagnostics."""
        watchdog = self._watchdog
        return StreamHealth(
            self.name,
            watchdog.state,
            watchdog.reconnects,
            watchdog.error,
            watchdog.samples,
            self._outlet.overtaken,
            watchdog.broken,
            watchdog.skipped,
        )
