"""What a person types about the object: often one attribute only, with synonyms and slips of the fingers."""

from collections.abc import Mapping

import numpy as np

from edgefuse.fusion.labels import NOTHING
from edgefuse.fusion.slips import misspell
from edgefuse.tabletop.vocabulary import COLOR_SYNONYMS, PAIRS, SHAPE_SYNONYMS

ABOUT_PAIR = (
    "{}", "a {}", "the {}", "the {} please", "this is a {}", "it is a {}", "take the {}", "I want the {}", "look, a {}",
    "can you see the {}?", "find the {}", "put the {} down", "a {}!", "the small {}", "the {} on the table", "my {}",
)  # fmt: skip
ABOUT_COLOR = (
    "something {}", "the {} one", "{}", "it is {}", "the {} thing", "a {} object", "take the {} one", "anything {}?",
    "I want the {} one", "look, it is {}",
)  # fmt: skip
ABOUT_NOTHING = (
    "nothing", "nothing here", "there is nothing", "the table is empty", "nothing there", "no object", "empty",
)  # fmt: skip

PAIR, COLOR, SHAPE, EMPTY = "pair", "color", "shape", "nothing"
TYPO_RATE = {"low": 0.0, "middle": 0.1, "high": 0.25}
"""Chance of a slip per word, at the three noise levels."""


def remark(label: int, typo_rate: float, rng: np.random.Generator, kind: str | None = None) -> tuple[str, str]:
    """A text about class `label`, and what it tells: "pair", "color", "shape" or "nothing" (`kind` asks for one)."""
    if label == len(PAIRS):
        return misspell(pick(ABOUT_NOTHING, rng), typo_rate, rng), EMPTY
    kind = kind or str(rng.choice([PAIR, COLOR, SHAPE], p=[0.4, 0.3, 0.3]))
    color, shape = PAIRS[label]
    said_color, said_shape = synonym(color, COLOR_SYNONYMS, rng), synonym(shape, SHAPE_SYNONYMS, rng)
    if kind == PAIR:
        text = pick(ABOUT_PAIR, rng).format(f"{said_color} {said_shape}")
    elif kind == COLOR:
        text = pick(ABOUT_COLOR, rng).format(said_color)
    else:
        text = pick(ABOUT_PAIR, rng).format(said_shape)
    return misspell(text, typo_rate, rng), kind


def prompts(rng: np.random.Generator) -> list[str]:
    """One random wording per class (37), then per colour (6), then per shape (6): prompts a user might give."""
    pairs = [pick(ABOUT_PAIR[:4], rng).format(f"{color} {shape}") for color, shape in PAIRS] + [NOTHING]
    colors = [pick(ABOUT_COLOR[:4], rng).format(color) for color in COLOR_SYNONYMS]
    shapes = [pick(ABOUT_PAIR[:4], rng).format(shape) for shape in SHAPE_SYNONYMS]
    return pairs + colors + shapes


def synonym(word: str, synonyms: Mapping[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    """The word itself two times in three, else one of its synonyms."""
    return word if rng.random() < 0.65 else pick(synonyms[word], rng)


def pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]
