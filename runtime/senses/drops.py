"""Drops: what came to nothing in a run, of what was sensed, counted in one place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from edgefuse.runtime.errors import RefusalReason, SampleError, kind_of

DropReason: TypeAlias = RefusalReason | Literal["overtaken", "gap", "stale"]


_MOST_KINDS: Final = 20


class Kinds:
    """What was said once already: messages that differ only in their values are of one kind, see kind_of.

    What is sent on purpose may have kinds without end: after 20 of them, no other is new. Not thread-safe.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def is_new(self, message: object) -> bool:
        """Whether nothing of its kind came before."""
        kind = kind_of(message)
        if kind in self._known or len(self._known) >= _MOST_KINDS:
            return False
        self._known.add(kind)
        return True


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
        self._kinds = {sense: Kinds() for sense in self._counts}
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
        """One more sample was refused, for this; whether it is the first of its sense and kind, see Kinds."""
        self._refusals[sense] = str(error)
        self.count(sense, error.reason)
        with self._lock:
            return self._kinds[sense].is_new(error)

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

    def in_words(self) -> list[str]:
        """What became of each sense's samples."""
        counts, said = self.as_dict(), []
        for sense, came in self.sensed().items():
            lost = "".join(f", {count} {reason.replace('_', ' ')}" for reason, count in counts[sense].items())
            why = self.refusal(sense)
            said.append(f"{sense}: {came or 'no'} samples came{lost}" + (f" (the last one {why})" if why else ""))
        return said
