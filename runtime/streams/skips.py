"""Messages of a topic that came to nothing: each reason is said once, and all are counted."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from edgefuse.runtime.errors import SampleError, kind_of

_MOST_REASONS: Final = 8
"""Reasons that are told apart; a file that was made to fool could have one for each message."""

log = logging.getLogger(__name__)


class Skips:
    """Of one topic, from `restart` on; what was said is said once, also if the recording is read again."""

    def __init__(self, where: str, topic: str) -> None:
        self._where = where
        self._topic = topic
        self._said: dict[str, str] = {}
        self.restart()

    def restart(self) -> None:
        """The recording is read from its beginning."""
        self.messages = 0
        self.reasons: Counter[str] = Counter()

    def add(self, error: SampleError) -> None:
        """One more; the first of each reason is logged. See kind_of."""
        reason = kind_of(error)
        if reason not in self._said and len(self._said) < _MOST_REASONS:
            self._said[reason] = str(error)
            more = f"a message of {self._topic} was skipped (more such are only counted): it {error}"
            log.warning("%s: %s", self._where, more)
        self.reasons[reason if reason in self._said else ""] += 1

    def sum_up(self) -> None:
        """Log how many there were, unless each was said."""
        if self.reasons.total() > len(self.reasons):
            log.warning("%s: %s", self._where, self.in_words())

    def in_words(self) -> str:
        """How many there were, and of each reason the first."""
        reasons = [
            f"{number} like: it {self._said.get(reason, 'is damaged otherwise')}"
            for reason, number in self.reasons.most_common()
        ]
        skipped = f"{self.reasons.total()} of {self.messages} messages of {self._topic} were skipped"
        return f"{skipped}: {'; '.join(reasons)}"
