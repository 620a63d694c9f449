"""The token store: the last tokens of every sense, and which of them fit a moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Tokens

_KEPT_PER_SENSE = 8


@dataclass(frozen=True, slots=True)
class Aligned:
    """What one sense has to say of a moment: its tokens nearest before it, their age then, if that is fit."""

    tokens: Tokens
    age_ns: int
    fit: bool


class TokenStore:
    """Holds each sense's newest tokens and a few before them. Thread-safe, bounded.

    Both mappings are by sense, and their owner may change them at any time. Evidence older than `max_age_ns` does not
    fit. If a sense's stamps are late by x compared with the others', its offset is x: that counts where senses are
    matched, and a percept keeps its evidence's own stamp. What sets the stamps themselves right is `Corrections`.
    """

    def __init__(self, max_age_ns: Mapping[str, int], offsets_ns: Mapping[str, int], drops: Drops) -> None:
        self._max_age_ns = max_age_ns
        self._offsets_ns = offsets_ns
        self._drops = drops
        self._held: dict[str, deque[Tokens]] = {name: deque(maxlen=_KEPT_PER_SENSE) for name in max_age_ns}
        self._news: dict[str, Tokens] = {}
        self._newest_ns = 0
        self._lock = threading.Lock()

    def max_age_ns(self, sense: str) -> int:
        """From what age on a sense's tokens are not fit."""
        return self._max_age_ns[sense]

    def put(self, tokens: Tokens) -> None:
        """Keep these as their sense's newest; counted as stale if they come too late to be fused with the others."""
        with self._lock:
            sense = tokens.modality
            self._newest_ns = max(self._newest_ns, tokens.stamp_ns)
            if self._newest_ns - tokens.stamp_ns > self._max_age_ns[sense]:
                self._drops.count(sense, "stale")
            self._held[sense].append(tokens)
            self._news[sense] = tokens

    def news(self) -> dict[str, Tokens]:
        """The newest tokens that came since the last `align`, by sense."""
        with self._lock:
            return dict(self._news)

    def newest(self, sense: str) -> Tokens | None:
        """The newest tokens of a sense, however old."""
        held = self._held[sense]
        return held[-1] if held else None

    def sensed_ns(self, tokens: Tokens) -> int:
        """When they were sensed, without what their sense's stamps are late by."""
        return tokens.stamp_ns - self._offsets_ns[tokens.modality]

    def align(self, stamp_ns: int, needed: Collection[str] = ()) -> dict[str, Aligned] | None:
        """What each sense has to say of `stamp_ns`, for those that sensed anything before it. All news is used up.

        None while a sense that is `needed` is not fit; then the news is kept, since the one that is late may come.
        """
        with self._lock:
            aligned = {}
            for name in self._held:
                nearest = self._nearest_before(name, stamp_ns)
                if nearest is not None:
                    aligned[name] = nearest
            for name in needed:
                if name not in aligned or not aligned[name].fit:
                    return None
            self._news.clear()
            return aligned

    def _nearest_before(self, sense: str, stamp_ns: int) -> Aligned | None:
        for tokens in reversed(self._held[sense]):
            age_ns = stamp_ns - self.sensed_ns(tokens)
            if age_ns >= 0:
                return Aligned(tokens, age_ns, fit=age_ns <= self._max_age_ns[sense])
        return None
