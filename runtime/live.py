"""A live run: one thread per stream and per sense, so that no sense waits for another.

The leading sense is encoded in the caller's thread, right before the fusion that it calls for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from edgefuse.runtime.percept import Percept
from edgefuse.runtime.process.at_exit import close_at_exit, forget, inside
from edgefuse.runtime.process.fork import Home
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.streams.bell import Bell

_JOIN_TIMEOUT_S = 5.0
_T = TypeVar("_T")


class Stages(Protocol):
    """What the threads of a live run need of a perceiver."""

    senses: tuple[str, ...]
    new: dict[str, Bell]

    @property
    def closed(self) -> bool: ...

    def encode(self, sense: str) -> object: ...

    def fuse(self) -> Percept | None: ...


class LiveThreads:
    """Owns the threads of one live run; leaving it as a context closes the streams, stops the threads and joins them.

    `take` is called with each sample, in the thread that senses it.
    """

    def __init__(self, stages: Stages, streams: Sequence[Stream], take: Callable[[Sample], object]) -> None:
        self._home = Home()
        self._stages = stages
        self._streams = streams
        self._take = take
        self._lead, *others = stages.senses
        self._finished: list[Stream] = []  # a list, since appending to one is atomic
        self._stopping = False
        self._error: Exception | None = None
        self._threads = [self._thread(self._feed, stream) for stream in streams]
        self._threads += [self._thread(self._encode_whenever_new, sense) for sense in others]

    def __enter__(self) -> LiveThreads:
        close_at_exit(self, LiveThreads.close)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        forget(self)

    def close(self) -> None:
        """Close the streams, stop the threads and join them; may be called twice, and from another thread."""
        self._stopping = True
        if self._home.left:
            return
        for stream in self._streams:
            stream.close()
        for new in self._stages.new.values():
            new.ring()
        for thread in self._threads:
            if thread.ident is not None:  # else it was never started
                thread.join(_JOIN_TIMEOUT_S)

    def percepts(self) -> Iterator[Percept]:
        """Until every stream has ended or the run is closed; raises what a stream or an encoder raised."""
        wake = self._stages.new[self._lead]
        ended = False
        while not ended:
            self._home.check("perceiver")  # the caller may have forked since the last one
            wake.wait()
            if self._stopping:
                return
            ended = self._stages.closed or (bool(self._streams) and len(self._finished) == len(self._streams))
            if self._error is not None:
                raise self._error
            self._stages.encode(self._lead)
            percept = self._stages.fuse()
            if percept is not None:
                yield percept

    def _thread(self, target: Callable[[_T], None], argument: _T) -> threading.Thread:
        return threading.Thread(target=self._reporting, args=(target, argument), daemon=True)

    def _reporting(self, target: Callable[[_T], None], argument: _T) -> None:
        try:
            with inside:
                target(argument)
        except Exception as error:  # a thread's border: the owner raises it
            self._error = error
        finally:
            self._stages.new[self._lead].ring()

    def _feed(self, stream: Stream) -> None:
        try:
            stream.feed(self._pass_on)
        finally:
            self._finished.append(stream)

    def _pass_on(self, sample: Sample) -> None:
        if not self._stopping:
            self._take(sample)

    def _encode_whenever_new(self, sense: str) -> None:
        new, wake = self._stages.new[sense], self._stages.new[self._lead]
        while not self._stopping:
            new.wait()
            if self._stages.encode(sense) is not None:
                wake.ring()
