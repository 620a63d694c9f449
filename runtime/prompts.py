"""Prompts: texts that name the classes at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from edgefuse.runtime.engine import Engine
from edgefuse.runtime.errors import PromptError
from edgefuse.runtime.manifest import TextModality

MAX_TEXT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Prompts:
    """The classes of a perceiver: labels and their embeddings, float32 (classes, dim), L2-normalised."""

    labels: tuple[str, ...]
    embeddings: np.ndarray


def encode_prompts(named: Mapping[str, str], tokenizer: Tokenizer, engine: Engine, modality: TextModality) -> Prompts:
    """Prompts from `label -> text`, in one call of the text graph; raises PromptError for a text that names nothing."""
    for text in named.values():
        _check(text)
    ids = token_ids(tokenizer, list(named.values()), modality.max_tokens)
    outputs = engine.run({modality.graph.inputs[0].name: ids})
    return Prompts(tuple(named), outputs[modality.graph.outputs[1].name])


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """Token ids int64 (texts, max_tokens), cut at max_tokens and padded with 0."""
    ids = np.zeros((len(texts), max_tokens), np.int64)
    for row, encoding in zip(ids, tokenizer.encode_batch(list(texts)), strict=True):
        kept = encoding.ids[:max_tokens]
        row[: len(kept)] = kept
    return ids


def _check(text: str) -> None:
    if not text.strip():
        raise PromptError("a prompt is empty; name a class, such as 'a red ball'")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise PromptError(
            f"the prompt {text[:20]!r}... has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed"
        )
