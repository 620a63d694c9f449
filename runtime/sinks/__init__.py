"""Sinks: where percepts go. Each has its own file; all are fed in turn by whoever runs the perceiver."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Protocol

from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.streams import Watcher

log = logging.getLogger(__name__)


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
    """Hand every percept to every sink, and close the run and then the sinks at the end, also after an error.

    A sink that raises gets no more, which is logged, and the others go on, since a robot must not go blind for want of
    a log; that error is raised at the end, as EdgefuseError. Where nobody reads a pipe any more (BrokenPipeError), or
    no sink is left, it is raised at once.
    """
    for sink in sinks:
        if not callable(getattr(sink, "write", None)) or not callable(getattr(sink, "close", None)):
            raise EdgefuseError(f"a sink has the methods `write` and `close`, {type(sink).__name__} lacks them")
    failed: list[EdgefuseError] = []
    with ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        stack.callback(getattr(percepts, "close", lambda: None))  # a run that nobody takes percepts of is over
        left = list(sinks)
        for percept in percepts:
            for sink in tuple(left):
                try:
                    sink.write(percept)
                except BrokenPipeError:
                    raise
                except Exception as error:  # the border of anybody's sink
                    failed.append(_sink_error(sink, error))
                    left = [one for one in left if one is not sink]
            if sinks and not left:
                break
    if failed:
        raise failed[0] from failed[0].__cause__


def _sink_error(sink: Sink, error: Exception) -> EdgefuseError:
    """Logged, and as it is to be raised at the end."""
    said = str(error) if isinstance(error, EdgefuseError) else f"{type(error).__name__}: {error}"
    log.error("%s takes no more percepts, the rest goes on: %s", type(sink).__name__, said)
    if isinstance(error, EdgefuseError):
        return error
    raised = EdgefuseError(f"{type(sink).__name__} took no more percepts: {said}")
    raised.__cause__ = error
    return raised
