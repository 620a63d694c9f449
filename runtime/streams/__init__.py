"""A stream yields the samples of one or more senses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from edgefuse.runtime.process.at_exit import inside
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.streams.faults import faults_of

StreamState: TypeAlias = Literal["starting", "live", "stalled", "lost", "reconnecting", "ended"]
"""starting: nothing came yet; live: samples come; stalled: they have ceased, the device is still open; lost: given
up, waiting to try again; reconnecting: being opened again, or open again but silent so far; ended: closed, or at its
end."""


class Stream(ABC):
    """What a camera, a microphone, a clip and a recording have in common; derive yours from it.

    A `live` stream yields each sample when it has been sensed, stamped on the monotonic clock; one that is not live
    yields as fast as it is asked, stamped in its own time, which begins at 0. A sample's arrays are not written into
    again once it was yielded: they are read where they lie.
    """

    live: bool
    name: str
    """What messages call it; the name of its class, unless it sets another."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__dict__.get("name", cls.__name__)

    @abstractmethod
    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of their `until_ns`; raises StreamError if the source breaks off."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device or file; may be called twice, and from another thread to end the iteration."""

    def feed(self, take: Callable[[Sample], object]) -> None:
        """Call `take` with each sample until the end, and return then; raises what iterating would.

        A device calls it in the thread that reads it: nothing waits in between, so `take` has to be quick.
        """
        for sample in samples_of(self):
            take(sample)


def samples_of(stream: Stream) -> Iterator[Sample]:
    """What `stream` yields; whatever a library raises in it is a StreamError that names the stream."""
    with faults_of(stream.name):
        samples = iter(stream)
    while True:
        with inside, faults_of(stream.name):
            try:
                sample = next(samples)
            except StopIteration:
                return
        yield sample


class Watcher(Protocol):
    """Sees the samples of streams as they pass."""

    def tap(self, stream: Stream) -> Stream:
        """The same stream, whose samples it sees."""
        ...


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How a device's stream is, at the moment it was asked; counts are since it was made.

    `reconnects` counts the times it came back; `error` is the line that says why it was last lost; `samples` came from
    the device, of which `overtaken` were never taken by whoever iterates (none where the stream is fed to a perceiver,
    which counts what it does not take); `broken` more could not be used, and `skipped` says why the last of them.
    """

    name: str
    state: StreamState
    reconnects: int
    error: str | None
    samples: int
    overtaken: int
    broken: int = 0
    skipped: str | None = None
