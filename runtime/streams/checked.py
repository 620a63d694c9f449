"""A stream of anybody's, whose samples are checked for sense as they pass, and which ends when it is told to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from edgefuse.runtime.errors import EdgefuseError, SampleError, StreamError
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.senses.sample_check import check_is_sample, checked
from edgefuse.runtime.streams import Stream, samples_of

log = logging.getLogger(__name__)


class Senses:
    """Which stream each sense of one run comes from. Two of one sense would take turns, and neither be perceived."""

    def __init__(self, refuse: Callable[[Sample, SampleError], object]) -> None:
        """`refuse` is told of samples that make no sense."""
        self.refuse = refuse
        self._owners: dict[str, Checked] = {}

    def claim(self, sense: str, stream: Checked) -> None:
        """Raises StreamError where another stream yields that sense as well."""
        owner = self._owners.setdefault(sense, stream)
        if owner is not stream:
            raise StreamError(
                f"two streams yield {sense!r}: {owner.name} and {stream.name}; give each a sense of its own "
                "(`modality`), or run one of them"
            )


class Checked(Stream):
    """Yields what of `stream` makes sense, in the thread that iterates or feeds; the rest is refused and counted.

    Whatever is raised in `stream` is its own fault, see `samples_of`.
    """

    def __init__(self, stream: Stream, senses: Senses) -> None:
        self.live = stream.live
        self.name = str(stream.name)
        self._stream = stream
        self._senses = senses
        self._closed = False

    def __iter__(self) -> Iterator[Sample]:
        """See Stream; raises StreamError for what is no sample, and for a sense of another stream's."""
        for sample in samples_of(self._stream):
            if self._closed:
                return
            if (sound := self._sensible(sample)) is not None:
                yield sound

    def feed(self, take: Callable[[Sample], object]) -> None:
        """See Stream; raises StreamError like iterating."""
        if type(self._stream).feed is Stream.feed:  # it has no way of its own, so that it can be left when it is closed
            super().feed(take)
        else:
            self._stream.feed(lambda sample: self._pass_on(sample, take))

    def close(self) -> None:
        """See Stream; what goes wrong is logged."""
        self._closed = True
        try:
            self._stream.close()
        except Exception as error:  # the border of anybody's stream
            log.warning("%s could not be closed: %s: %s", self.name, type(error).__name__, error)

    def _pass_on(self, sample: Sample, take: Callable[[Sample], object]) -> None:
        if (sound := self._sensible(sample)) is not None:
            take(sound)

    def _sensible(self, sample: Any) -> Sample | None:
        try:
            check_is_sample(f"what {self.name} yields", sample)
        except EdgefuseError as error:
            raise StreamError(str(error)) from error
        self._senses.claim(sample.modality, self)
        try:
            return checked(sample)
        except SampleError as error:
            self._senses.refuse(sample, error)
            return None
