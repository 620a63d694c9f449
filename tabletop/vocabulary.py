"""The words of the tabletop task: what can lie on the table, how people name it, and the tokenizer that reads them."""

from itertools import chain

from tokenizers import Tokenizer

from edgefuse.fusion import tokenizer
from edgefuse.fusion.labels import NOTHING, prompt_of

COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
SHAPES = ("ball", "cube", "cone", "cylinder", "ring", "star")
PAIRS = tuple((color, shape) for color in COLORS for shape in SHAPES)
LABELS = (*(f"{color} {shape}" for color, shape in PAIRS), NOTHING)
"""The 37 classes; label i < 36 is colour i // 6, shape i % 6."""

HELD_OUT = (
    ("red", "star"),
    ("orange", "cube"),
    ("yellow", "cylinder"),
    ("green", "ring"),
    ("blue", "cone"),
    ("purple", "ball"),
)
"""Pairs that no training or validation example shows, names or types. Each colour and each shape once."""

HELD_OUT_LABELS = tuple(PAIRS.index(pair) for pair in HELD_OUT)
SEEN_LABELS = tuple(label for label in range(len(LABELS)) if label not in HELD_OUT_LABELS)

COLOR_SYNONYMS = {
    "red": ("scarlet", "crimson"),
    "orange": ("tangerine", "amber"),
    "yellow": ("lemon", "golden"),
    "green": ("emerald", "lime"),
    "blue": ("azure", "navy"),
    "purple": ("violet", "lilac"),
}
SHAPE_SYNONYMS = {
    "ball": ("sphere", "orb"),
    "cube": ("block", "box"),
    "cone": ("funnel",),
    "cylinder": ("tube", "can"),
    "ring": ("hoop", "donut"),
    "star": ("starfish",),
}

PROMPTS = tuple(prompt_of(label) for label in LABELS)


def build_tokenizer(length: int = 32) -> Tokenizer:
    """The built-in tokenizer with the task's words, each of which is one token; any text becomes `length` ids."""
    synonyms = chain(*COLOR_SYNONYMS.values(), *SHAPE_SYNONYMS.values())
    return tokenizer.build_tokenizer([*COLORS, *SHAPES, *synonyms], length)
