"""Texts as the ids that text graphs take, and how a tokenizer reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding, Tokenizer

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.errors import BundleError

MAX_TEXT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """How a tokenizer reads a text.

    `tokens`: how many it takes, with those that mark its beginning and end; `read_until`: the place in the text where
    those end that a graph takes; `words` and into how many `pieces` each is split; `known`: whether any piece is known.
    """

    tokens: int
    read_until: int
    words: tuple[str, ...]
    pieces: tuple[int, ...]
    known: bool


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """Token ids int64 (texts, max_tokens), cut at max_tokens and padded with 0."""
    ids = np.zeros((len(texts), max_tokens), np.int64)
    for row, encoding in zip(ids, tokenizer.encode_batch(list(texts)), strict=True):
        kept = encoding.ids[:max_tokens]
        row[: len(kept)] = kept
    return ids


def readings(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[Reading]:
    """How each text is read, where a graph takes `max_tokens`."""
    unknown = getattr(tokenizer.model, "unk_token", None)
    encodings = tokenizer.encode_batch(list(texts))
    return [_reading(text, encoding, unknown, max_tokens) for text, encoding in zip(texts, encodings, strict=True)]


def _reading(text: str, encoding: Encoding, unknown: str | None, max_tokens: int) -> Reading:
    said = [
        place
        for place, (mask, marker) in enumerate(zip(encoding.attention_mask, encoding.special_tokens_mask, strict=True))
        if mask and not marker
    ]
    spans: dict[int, list[tuple[int, int]]] = {}
    for place in said:
        word = encoding.word_ids[place]
        spans.setdefault(place if word is None else word, []).append(encoding.offsets[place])
    return Reading(
        tokens=sum(sum(part.attention_mask) for part in (encoding, *encoding.overflowing)),
        read_until=max((encoding.offsets[place][1] for place in said if place < max_tokens), default=0),
        words=tuple(text[span[0][0] : span[-1][1]] for span in spans.values()),
        pieces=tuple(len(span) for span in spans.values()),
        known=any(encoding.tokens[place] != unknown for place in said),
    )


def open_tokenizer(bundle: Bundle) -> Tokenizer | None:
    """The bundle's own, if it has one; raises BundleError where it is none."""
    if bundle.manifest.tokenizer is None:
        return None
    path = bundle.directory / bundle.manifest.tokenizer
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises Exception itself
        raise BundleError(f"{path} is no tokenizer: {error}") from error
