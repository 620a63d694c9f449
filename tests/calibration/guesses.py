"""Scores whose truth is known: drawn so that they are honest, then sharpened by a temperature."""

from __future__ import annotations

import numpy as np

from edgefuse.calibration.confidence import temper


def honest(examples: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (examples, classes) and labels that are each class as often as its score says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (examples, classes)) * rng.uniform(0.5, 6, (examples, 1))
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    labels = (scores.cumsum(axis=1) < rng.uniform(0, 1, (examples, 1))).sum(axis=1)
    return scores.astype(np.float32), np.minimum(labels, classes - 1)


def overconfident(examples: int, temperature: float, seed: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """As above, the scores such that this temperature makes them honest again."""
    scores, labels = honest(examples, classes, seed)
    return temper(scores, 1 / temperature), labels
