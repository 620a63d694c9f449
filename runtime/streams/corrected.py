"""A stream whose samples are corrected as they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgefuse.runtime.corrections.corrections import Corrections
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.streams import Stream


class Corrected(Stream):
    """Yields what `stream` yields, corrected, in the thread that iterates or feeds."""

    def __init__(self, stream: Stream, corrections: Corrections) -> None:
        self.live, self.name = stream.live, stream.name
        self._stream = stream
        self._corrections = corrections

    def __iter__(self) -> Iterator[Sample]:
        """See Stream; raises CalibrationError for a frame of another size than was calibrated."""
        for sample in self._stream:
            yield self._corrections.correct(sample)

    def feed(self, take: Callable[[Sample], object]) -> None:
        """See Stream; raises CalibrationError like iterating."""
        self._stream.feed(lambda sample: take(self._corrections.correct(sample)))

    def close(self) -> None:
        """See Stream."""
        self._stream.close()
