"""Drops: what came to nothing in a run, of what was sensed, counted in one place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeAlias

from edgefuse.runtime.errors import RefusalReason, SampleError

DropReason: TypeAlias = RefusalReason | Literal["overtaken", "gap", "stale"]


class Drops:
    """Counts by sense and reason. Thread-safe.

    `overtaken` counts frames, texts or hops that no encoder took, since newer ones had come; `gap` the missing values
    of a series; `stale` encodings that came too late to be fused; every other reason counts samples that were refused.
    `sensed` counts all samples that came.
    """

    def __init__(self, senses: Iterable[str]) -> None:
        self._counts: dict[str, Counter[DropReason]] = {sense: Counter() for sense in senses}
        self._sensed = dict.fromkeys(self._counts, 0)
        self._refusals: dict[str, str] = {}
        self._lock = threading.Lock()

    def note_sensed(self, sense: str) -> None:
        """One more sample came, whatever becomes of it."""
        with self._lock:
            self._sensed[sense] += 1

    def sensed(self) -> dict[str, int]:
        """The samples so far, of every sense."""
        with self._lock:
            return dict(self._sensed)

    def refuse(self, sense: str, error: SampleError) -> bool:
        """One more sample was refused, for this; whether it is the first of this sense and reason."""
        self._refusals[sense] = str(error)
        return self.count(sense, error.reason)

    def refusal(self, sense: str) -> str | None:
        """Why the last sample was refused, in words that go on from "it"; None if none was."""
        return self._refusals.get(sense)

    def count(self, sense: str, reason: DropReason, number: int = 1) -> bool:
        """Add `number`; whether these are the first of this sense and reason."""
        if not number:
            return False
        with self._lock:
            counts = self._counts[sense]
            counts[reason] += number
            return counts[reason] == number

    def as_dict(self) -> dict[str, dict[str, int]]:
        """The counts so far, for every sense; only reasons that occurred."""
        with self._lock:
            return {sense: {str(reason): n for reason, n in counts.items()} for sense, counts in self._counts.items()}
