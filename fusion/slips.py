"""Slips of the fingers: what a person types is not always spelt right."""

import string

import numpy as np


def misspell(text: str, rate: float, rng: np.random.Generator) -> str:
    """Each word of three letters or more gets one slip with probability `rate`."""
    words = text.split(" ")
    return " ".join(slip(word, rng) if len(word) > 2 and rng.random() < rate else word for word in words)


def slip(word: str, rng: np.random.Generator) -> str:
    """Two letters swapped, one dropped, doubled or replaced."""
    at = int(rng.integers(len(word) - 1))
    kind = rng.integers(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[: at + 1] + word[at:]
    return word[:at] + string.ascii_lowercase[rng.integers(26)] + word[at + 1 :]
