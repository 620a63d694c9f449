"""What a bundle's senses usually meet, summed up as centres of clusters, for the runtime to notice a drift by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import numpy as np

from edgefuse.calibration.clusters import centres_of
from edgefuse.runtime.corrections.measured import BY, Measured
from edgefuse.runtime.heads.drift import Centres, Familiar, direction, nearest

CENTRES = 24
FEWEST_SAMPLES = 32
OUTPUTS = ("tokens", "embedding")
_SMALLEST_SD = 1e-4
_DIGITS = 4


def familiar_from(encoded: Mapping[str, Mapping[str, np.ndarray]], how: str, at: str | None = None) -> Familiar | None:
    """From encoders' outputs (samples, ...) by sense and output; None where there are fewer than 32 of all.

    `how` says what the samples are; `at` is when they were measured: now. Needs scikit-learn.
    """
    outputs = [
        centres_from(sense, output, direction(arrays[output]))
        for sense, arrays in encoded.items()
        for output in OUTPUTS
        if output in arrays and len(arrays[output]) >= FEWEST_SAMPLES
    ]
    if not outputs:
        return None
    at = at or datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Familiar(measured=Measured(at=at, by=BY, how=how), outputs=tuple(outputs))


def centres_from(sense: str, output: str, vectors: np.ndarray) -> Centres:
    """Of vectors (samples, dim) of length 1: centres of one half, and how far the other half is from them."""
    shuffled = np.random.default_rng(0).permutation(vectors)
    one, other = shuffled[::2], shuffled[1::2]
    centres = centres_of(one, min(CENTRES, len(one) // 8)).round(_DIGITS)
    distances = nearest(other, centres)
    return Centres(
        sense=sense,
        output=output,
        samples=len(vectors),
        centres=tuple(tuple(float(value) for value in centre) for centre in centres.astype(np.float64).round(_DIGITS)),
        distance=round(float(distances.mean()), 6),
        distance_sd=round(max(float(distances.std()), _SMALLEST_SD), 6),
    )
