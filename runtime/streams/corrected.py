"""A stream whose samples are corrected as they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgefuse.runtime.corrections.corrections import Corrections
from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.streams import Stream


class Corrected(Stream):
    """Yields what `stream` yields, corrected, in the thread that iterates or feeds.

    `refuse` is told of samples that no longer fit what was calibrated.
    """

    def __init__(
        self, stream: Stream, corrections: Corrections, refuse: Callable[[Sample, SampleError], object]
    ) -> None:
        self.live, self.name = stream.live, stream.name
        self._stream = stream
        self._corrections = corrections
        self._refuse = refuse

    def __iter__(self) -> Iterator[Sample]:
        """See Stream; raises CalibrationError where no frame has the size that was calibrated."""
        for sample in self._stream:
            if (corrected := self._correct(sample)) is not None:
                yield corrected

    def feed(self, take: Callable[[Sample], object]) -> None:
        """See Stream; raises CalibrationError like iterating."""

        def pass_on(sample: Sample) -> None:
            if (corrected := self._correct(sample)) is not None:
                take(corrected)

        self._stream.feed(pass_on)

    def close(self) -> None:
        """See Stream."""
        self._stream.close()

    def _correct(self, sample: Sample) -> Sample | None:
        try:
            return self._corrections.correct(sample)
        except SampleError as error:
            self._refuse(sample, error)
            return None
