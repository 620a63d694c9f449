"""A tap: a stream whose samples are also handed to someone else, a recorder or a viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgefuse.runtime.samples import Sample
from edgefuse.runtime.streams import Stream


class Tap(Stream):
    """Yields what `stream` yields, unchanged, after handing it to `take`, in the thread that iterates.

    `take` must not block and must not change the sample.
    """

    def __init__(self, stream: Stream, take: Callable[[Sample], None]) -> None:
        self.live, self.name = stream.live, stream.name
        self._stream = stream
        self._take = take

    def __iter__(self) -> Iterator[Sample]:
        """See Stream."""
        for sample in self._stream:
            self._take(sample)
            yield sample

    def feed(self, take: Callable[[Sample], object]) -> None:
        """See Stream."""

        def pass_on(sample: Sample) -> None:
            self._take(sample)
            take(sample)

        self._stream.feed(pass_on)

    def close(self) -> None:
        """See Stream."""
        self._stream.close()
