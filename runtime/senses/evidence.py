"""Evidence: what an encoder is given, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Evidence:
    """One encoder's input, batch of one, with the times of its way here.

    `stamp_ns` is when its newest value was sensed, on the samples' clock; `received_ns` when the perceiver got it;
    `frame_id` is the frame's.
    """

    modality: str
    stamp_ns: int
    received_ns: int
    array: np.ndarray
    frame_id: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sense's encoding as the fusion graph takes it: arrays, batch of one, by the name of the input.

    `<sense>_tokens` (1, tokens, dim) and `<sense>_embedding` (1, dim); or `<sense>`, the evidence itself, of a sense
    that the bundle has no encoder for.
    """

    evidence: Evidence
    arrays: Mapping[str, np.ndarray]
    taken_ns: int
    encoded_ns: int

    @property
    def modality(self) -> str:
        """The sense."""
        return self.evidence.modality

    @property
    def stamp_ns(self) -> int:
        """When the newest value behind these tokens was sensed."""
        return self.evidence.stamp_ns
