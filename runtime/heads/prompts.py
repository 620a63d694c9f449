"""Prompts: texts that name the classes at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from edgefuse.runtime.bundle.manifest import Manifest, TextModality
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.errors import PromptError, is_utf_8
from edgefuse.runtime.senses.tokenizer import MAX_TEXT_CHARACTERS, token_ids


@dataclass(frozen=True, slots=True)
class Prompts:
    """The classes of a perceiver: labels and their embeddings, float32 (classes, dim), L2-normalised.

    No embeddings where the network's classes are fixed.
    """

    labels: tuple[str, ...]
    embeddings: np.ndarray | None


def name_classes(
    manifest: Manifest, texts: Sequence[str], tokenizer: Tokenizer | None, engines: Mapping[str, Engine]
) -> Prompts:
    """The classes that `texts` name, besides the background; the bundle's own labels if there are none.

    `engines` by graph. Raises PromptError for texts that name nothing, and for any where the classes are fixed.
    """
    if isinstance(texts, str):
        raise PromptError(f"prompts should be a list of texts, but are one text: write [{texts[:40]!r}]")
    modality = manifest.naming
    if modality is None or tokenizer is None:
        if texts:
            raise PromptError(f"the classes of bundle {manifest.name!r} are fixed, its fusion graph takes no prompts")
        return Prompts(tuple(manifest.labels), None)
    if len(texts) != len(set(texts)):
        raise PromptError(f"a prompt is given twice: {', '.join(texts)}")
    named = {text: text for text in texts} or manifest.labels
    if manifest.background is not None:
        named = named | {manifest.background: manifest.labels[manifest.background]}
    return encode_prompts(named, tokenizer, engines[modality.name], modality)


def encode_prompts(named: Mapping[str, str], tokenizer: Tokenizer, engine: Engine, modality: TextModality) -> Prompts:
    """Prompts from `label -> text`, in one call of the text graph; raises PromptError for a text that names nothing."""
    for text in named.values():
        _check(text)
    ids = token_ids(tokenizer, list(named.values()), modality.max_tokens)
    return Prompts(tuple(named), engine.run({engine.inputs[0].name: ids})["embedding"])


def _check(text: str) -> None:
    if not is_utf_8(text):
        raise PromptError(f"the prompt {text[:20]!r} is no text in UTF-8")
    if not text.strip():
        raise PromptError("a prompt is empty; name a class, such as 'a coffee cup'")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise PromptError(
            f"the prompt {text[:20]!r}... has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed"
        )
