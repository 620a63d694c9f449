"""The level of a microphone: whether it hears anything at all, and whether it is too loud to be understood."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

import numpy as np

Complaint: TypeAlias = Literal["silent", "clipped"]

_PATIENCE_S = 2.0
_FULL_SCALE = 0.999
_CLIPPED_SHARE = 0.01
ADVICE: dict[Complaint, str] = {
    "silent": "it is muted, unplugged, or the wrong device",
    "clipped": "lower its gain",
}

log = logging.getLogger(__name__)


class LevelWatch:
    """Warns once when the input has been all zero, or clipped, for 2 s; again only after it was well in between."""

    def __init__(self, name: str) -> None:
        self.complaint: Complaint | None = None
        self._name = name
        self._suspect: Complaint | None = None
        self._for_s = 0.0

    def hear(self, pcm: np.ndarray, rate_hz: int) -> None:
        """Take in the next samples, float32 (samples,) or (samples, channels) in -1..1."""
        suspect = complaint_about(pcm)
        self._for_s = len(pcm) / rate_hz + (self._for_s if suspect == self._suspect else 0.0)
        self._suspect = suspect
        if suspect is None:
            self.complaint = None
        elif self._for_s >= _PATIENCE_S and self.complaint != suspect:
            self.complaint = suspect
            log.warning("%s has been %s for %.0f s: %s", self._name, suspect, self._for_s, ADVICE[suspect])


def complaint_about(pcm: np.ndarray) -> Complaint | None:
    """What is wrong with these samples alone: `silent` where all are 0, `clipped` where 1 % are at full scale."""
    loudness = np.abs(pcm)
    if not loudness.any():
        return "silent"
    return "clipped" if float(np.mean(loudness >= _FULL_SCALE)) > _CLIPPED_SHARE else None
