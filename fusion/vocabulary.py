"""The words of the tabletop task: what can lie on the table, how people name it, and the tokenizer that reads them."""

import string
from itertools import chain

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from edgefuse.fusion.config import PADDING_ID

COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
SHAPES = ("ball", "cube", "cone", "cylinder", "ring", "star")
NOTHING = "nothing"
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

OTHER_WORDS = (
    "a", "an", "and", "anything", "at", "big", "bring", "can", "down", "empty", "find", "for", "give", "hand", "here",
    "hold", "i", "in", "is", "it", "large", "left", "like", "little", "look", "me", "move", "my", "need", "next",
    "nice", "no", "not", "nothing", "now", "object", "of", "okay", "on", "one", "our", "pick", "please", "put", "right",
    "robot", "see", "shiny", "show", "small", "something", "table", "take", "thanks", "that", "the", "there", "thing",
    "this", "to", "up", "want", "we", "what", "where", "with", "you", "your",
)  # fmt: skip


def prompt_of(label: str) -> str:
    """The text that names a class: "a red ball" for "red ball"."""
    return label if label == NOTHING else f"a{'n' if label[:1] in 'aeiou' else ''} {label}"


PROMPTS = tuple(prompt_of(label) for label in LABELS)


def build_tokenizer(length: int = 32) -> Tokenizer:
    """Words of the task are one token each; any other word is read by its characters ("##" marks the inner ones).

    Ids: 0 padding, 1 unknown, then words and characters, then the inner characters (from `CONTINUATION_FROM` on).
    Every text becomes exactly `length` ids: truncated or padded.
    """
    characters = string.ascii_lowercase + string.digits
    synonyms = chain(*COLOR_SYNONYMS.values(), *SHAPE_SYNONYMS.values())
    known = [*COLORS, *SHAPES, *OTHER_WORDS, *synonyms]
    words = sorted({*known, *characters, *string.punctuation})
    tokens = ["[PAD]", "[UNK]", *words, *("##" + character for character in characters)]
    tokenizer = Tokenizer(models.WordPiece(vocab={token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=PADDING_ID, pad_token="[PAD]", length=length)
    return tokenizer


def token_ids(tokenizer: Tokenizer, texts: list[str] | tuple[str, ...]) -> np.ndarray:
    """int64 (texts, length). An empty text is padding only."""
    return np.array([encoding.ids for encoding in tokenizer.encode_batch(list(texts))], dtype=np.int64)
