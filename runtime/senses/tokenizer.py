"""Texts as the ids that text graphs take, and how a tokenizer reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Encoding, Tokenizer

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.errors import BundleError, FileError, SampleError
from edgefuse.runtime.files.documents import read_text
from edgefuse.runtime.files.limits import TOKENIZER_BYTES

MAX_TEXT_CHARACTERS = 500

_AT_ONCE: Final = 64  # texts, so that what is made of many is never in memory together
_MOST_TOKENS: Final = 10_000  # that a text is padded to, and cut at
_MOST_GROWTH: Final = 1_000  # times what a text has, by all replacements together
_MOST_CHARACTERS: Final = 100_000  # of the description of one step; that of the vocabulary is another
_NESTED: Final = re.compile(r"\((?:[^()\\]|\\.)*(?<!\\)[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d*,)")
"""A repetition within a repetition, as (a+)+: what does not match takes a time that doubles with each character."""


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
    """Token ids int64 (texts, max_tokens), cut at max_tokens and padded with 0; SampleError for what has none."""
    ids = np.zeros((len(texts), max_tokens), np.int64)
    for first in range(0, len(texts), _AT_ONCE):
        some = list(texts[first : first + _AT_ONCE])
        for row, encoding in zip(ids[first:], _encoded(tokenizer, some), strict=False):
            kept = encoding.ids[:max_tokens]
            row[: len(kept)] = kept
    return ids


def readings(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[Reading]:
    """How each text is read, where a graph takes `max_tokens`; SampleError for what has no tokens."""
    unknown = getattr(tokenizer.model, "unk_token", None)
    encodings = _encoded(tokenizer, list(texts))
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
    """The bundle's own, if it has one; raises BundleError where it is none, or takes more than it should."""
    if bundle.manifest.tokenizer is None:
        return None
    path = bundle.directory / bundle.manifest.tokenizer
    try:
        tokenizer = Tokenizer.from_str(read_text(path, TOKENIZER_BYTES))
    except FileError as error:
        raise BundleError(str(error)) from error
    except BaseException as error:
        raise BundleError(f"{path} is no tokenizer: {_reason(error)}") from error
    _check(tokenizer, path)
    return tokenizer


def _encoded(tokenizer: Tokenizer, texts: list[str]) -> list[Encoding]:
    try:
        encodings: list[Encoding] = tokenizer.encode_batch(texts)
        return encodings
    except BaseException as error:
        raise SampleError(f"has no tokens: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """What the tokenizers library says; it raises Exception itself, and where it panics what is no Exception at all.

    Raises any other that is none, such as KeyboardInterrupt.
    """
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check(tokenizer: Tokenizer, path: Path) -> None:
    """Raises BundleError for steps that make much of little; what a text is cut at is set, without an overlap."""
    for wrong in _wrongs(tokenizer):
        raise BundleError(f"{path} is no tokenizer that can be used: {wrong}")
    if (cut := tokenizer.truncation) is not None:
        tokenizer.enable_truncation(**cut | {"stride": 0})


def _wrongs(tokenizer: Tokenizer) -> Iterator[str]:
    padding, cut = tokenizer.padding or {}, tokenizer.truncation or {}
    for size in (padding.get("length"), padding.get("pad_to_multiple_of"), cut.get("max_length")):
        if size is not None and size > _MOST_TOKENS:
            yield f"a text is {size:,} tokens by it, at most {_MOST_TOKENS:,} are taken"
    growth = 1
    for name in ("normalizer", "pre_tokenizer", "post_processor"):
        step = getattr(tokenizer, name)
        said = "null" if step is None else step.__getstate__()
        if len(said) > _MOST_CHARACTERS:
            yield f"its {name} is described in {len(said):,} characters"
            return
        for part in _parts(json.loads(said)):
            pattern, content = part.get("pattern"), part.get("content", part.get("prepend", ""))
            if isinstance(pattern, dict) and _NESTED.search(str(pattern.get("Regex", ""))):
                yield f"its {name} has a repetition within a repetition, {pattern['Regex'][:60]!r}"
            growth *= max(1, len(content)) if isinstance(content, str) else 1
    if growth > _MOST_GROWTH:
        yield f"what it puts in the place of a text is up to {growth:,} times as long"


def _parts(step: Any) -> Iterator[dict[str, Any]]:
    """The step, and those that it is a sequence of."""
    if isinstance(step, dict):
        yield step
    for part in step.values() if isinstance(step, dict) else step if isinstance(step, list) else ():
        yield from _parts(part)
