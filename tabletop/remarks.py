"""What a person types about the object: often one attribute only, with synonyms and slips of the fingers."""

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np

from edgefuse.fusion.labels import NOTHING, PromptTexts, said_otherwise
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

PROMPT_WAYS, COLOR_PROMPT_WAYS = ABOUT_PAIR[:4], ABOUT_COLOR[:4]
"""Those that prompts are drawn from."""

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
    pairs = [pick(PROMPT_WAYS, rng).format(f"{color} {shape}") for color, shape in PAIRS] + [NOTHING]
    colors = [pick(COLOR_PROMPT_WAYS, rng).format(color) for color in COLOR_SYNONYMS]
    shapes = [pick(PROMPT_WAYS, rng).format(shape) for shape in SHAPE_SYNONYMS]
    return pairs + colors + shapes


def all_prompts() -> PromptTexts:
    """Every wording that `prompts` draws from; and others, with synonyms, that it does not."""
    names = [f"{color} {shape}" for color, shape in PAIRS]
    trained = [way.format(name) for way in PROMPT_WAYS for name in (*names, *SHAPE_SYNONYMS)] + [NOTHING]
    trained += [way.format(color) for way in COLOR_PROMPT_WAYS for color in COLOR_SYNONYMS]
    synonyms = [f"a {color} {shape}" for color, shape in ways_to_say_pairs() if f"{color} {shape}" not in names]
    paraphrases = (*said_otherwise((*names, *SHAPE_SYNONYMS)), *synonyms)
    return PromptTexts(tuple(dict.fromkeys(trained)), paraphrases)


def ways_to_say_pairs() -> Iterator[tuple[str, str]]:
    """Colour and shape of each pair, in every word for them."""
    for color, shape in PAIRS:
        yield from product((color, *COLOR_SYNONYMS[color]), (shape, *SHAPE_SYNONYMS[shape]))


def synonym(word: str, synonyms: Mapping[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    """The word itself two times in three, else one of its synonyms."""
    return word if rng.random() < 0.65 else pick(synonyms[word], rng)


def pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]
