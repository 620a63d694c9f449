"""Faults: what a library raises in a stream is that stream's fault, and is told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgefuse.runtime.errors import EdgefuseError, StreamError, without_credentials

_MOST_SAID = 200


@contextmanager
def faults_of(name: str, kind: type[StreamError] = StreamError) -> Iterator[None]:
    """Turn what is raised within into an error of that kind that names the stream; our own pass."""
    try:
        yield
    except EdgefuseError:
        raise
    except Exception as error:  # the border of a stream: OpenCV's, a codec's, MemoryError, a bug
        said = " ".join(without_credentials(str(error)).split())[:_MOST_SAID]
        raise kind(f"{name} failed: {type(error).__name__}{': ' if said else ''}{said}") from error
