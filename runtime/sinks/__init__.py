"""Sinks: where percepts go. Each has its own file; all are fed in turn by whoever runs the perceiver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Protocol

from edgefuse.runtime.percept import Percept
from edgefuse.runtime.streams import Watcher


class Sink(Protocol):
    """Takes every percept, in order, in one thread."""

    def write(self, percept: Percept) -> None:
        """Take one percept; must be quick, since the next one waits."""
        ...

    def close(self) -> None:
        """Finish what was begun; called once, also after an error."""
        ...


class Observer(Sink, Watcher, Protocol):
    """A sink that sees the samples as well."""


def deliver(percepts: Iterable[Percept], sinks: Sequence[Sink]) -> None:
    """Hand every percept to every sink, and close the sinks at the end, also after an error."""
    with ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        for percept in percepts:
            for sink in sinks:
                sink.write(percept)
