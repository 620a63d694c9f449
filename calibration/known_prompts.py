"""What prompts a network knows: those of its training, and how far from them others lie that mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np

from edgefuse.runtime.corrections.measured import BY, Measured
from edgefuse.runtime.heads.known_prompts import KnownPrompt, KnownPrompts, cosine_distances
from edgefuse.runtime.senses.tokenizer import Reading

FEWEST_PARAPHRASES = 8
PASS = 0.99
"""Of the paraphrases, how many are to be taken for near."""

_SMALLEST = 0.01  # an angle of 8 degrees, which rounding and int8 leave far below
_ALIKE = 0.002  # prompts so near each other that one of them stands for both
_DIGITS = 4

Read = tuple[Sequence[Reading], np.ndarray]
"""How a tokenizer reads texts, and their embeddings (texts, dim)."""


def known_prompts_from(
    texts: Sequence[str], trained: Read, paraphrases: Read, at: str | None = None
) -> KnownPrompts | None:
    """From training's prompts, read so, and other ways to say the same; None where there are fewer than 8 of those.

    `at` is when they were measured: now.
    """
    if len(paraphrases[1]) < FEWEST_PARAPHRASES:
        return None
    embeddings = np.asarray(trained[1], np.float64).round(_DIGITS)
    kept = _different(embeddings)
    nearest = cosine_distances(paraphrases[1], embeddings[kept]).min(axis=1)
    pieces = [pieces for readings, _ in (trained, paraphrases) for reading in readings for pieces in reading.pieces]
    how = f"{len(texts)} prompts of the training and {len(nearest)} other ways to say the same"
    return KnownPrompts(
        measured=Measured(at=at or datetime.now(timezone.utc).isoformat(timespec="seconds"), by=BY, how=how),
        distance=max(round(float(np.quantile(nearest, PASS, method="higher")), _DIGITS), _SMALLEST),
        pieces=max(pieces, default=1),
        prompts=tuple(KnownPrompt(text=texts[row], embedding=tuple(embeddings[row].tolist())) for row in kept),
    )


def _different(embeddings: np.ndarray) -> list[int]:
    """Rows of (texts, dim) that no earlier one of these rows is alike."""
    distances, kept = cosine_distances(embeddings, embeddings), [0]
    for row in range(1, len(embeddings)):
        if distances[row, kept].min() > _ALIKE:
            kept.append(row)
    return kept
