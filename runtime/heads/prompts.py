"""Prompts: texts that name the classes at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from edgefuse.runtime.bundle.manifest import Manifest, TextModality
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.errors import PromptError, SampleError, is_utf_8
from edgefuse.runtime.heads.known_prompts import KnownPrompts
from edgefuse.runtime.senses.tokenizer import MAX_TEXT_CHARACTERS, Reading, readings, token_ids

_SHOWN = 60  # characters of a prompt that a message repeats


@dataclass(frozen=True, slots=True)
class Prompts:
    """The classes of a perceiver: labels and their embeddings, float32 (classes, dim), L2-normalised.

    No embeddings where the network's classes are fixed. `own`: whether they are all the bundle's own classes and no
    others, so that what was measured of it holds. `far`: by label whose prompt is far from all that training knew, a
    sentence that says so; None where the bundle does not say what training knew.
    """

    labels: tuple[str, ...]
    embeddings: np.ndarray | None
    own: bool = True
    far: Mapping[str, str] | None = None


def name_classes(
    manifest: Manifest,
    texts: Sequence[str],
    tokenizer: Tokenizer | None,
    engines: Mapping[str, Engine],
    known: KnownPrompts | None = None,
) -> Prompts:
    """The classes that `texts` name, besides the background; the bundle's own labels if there are none.

    `engines` by graph; `known` is what training named, where the bundle says that. Raises PromptError for texts that
    name nothing or the same, and for any where the classes are fixed.
    """
    if isinstance(texts, str):
        raise PromptError(f"prompts should be a list of texts, but are one text: write [{texts[:40]!r}]")
    modality = manifest.naming
    if modality is None or tokenizer is None:
        if texts:
            raise PromptError(f"the classes of bundle {manifest.name!r} are fixed, its fusion graph takes no prompts")
        return Prompts(tuple(manifest.labels), None)
    if twice := next((text for index, text in enumerate(texts) if text in texts[:index]), None):
        raise PromptError(f"the prompt {_shown(twice)} is given twice")
    named = {text: text for text in texts} or manifest.labels
    if manifest.background is not None:
        named = named | {manifest.background: manifest.labels[manifest.background]}
    prompts = encode_prompts(named, tokenizer, engines[modality.name], modality)
    if set(named.values()) == set(manifest.labels.values()):
        return replace(prompts, far=None if known is None else {})
    read = readings(tokenizer, list(named.values()), modality.max_tokens)
    return replace(prompts, own=False, far=None if known is None else _far(prompts, read, known))


def encode_prompts(named: Mapping[str, str], tokenizer: Tokenizer, engine: Engine, modality: TextModality) -> Prompts:
    """Prompts from `label -> text`, in one call of the text graph; raises PromptError as `prompt_ids`."""
    ids = prompt_ids(tokenizer, list(named.values()), modality.max_tokens)
    return Prompts(tuple(named), engine.run({engine.inputs[0].name: ids})["embedding"])


def prompt_ids(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """Token ids int64 (texts, max_tokens) of prompts.

    Raises PromptError, in one line, for a text that names nothing, one that would be cut, and two that the tokenizer
    reads alike, so that no network can tell them apart.
    """
    for text in texts:
        _check_text(text)
    try:
        read, ids = readings(tokenizer, texts, max_tokens), token_ids(tokenizer, texts, max_tokens)
    except SampleError as error:
        raise PromptError(f"a prompt {error}") from error
    for text, reading in zip(texts, read, strict=True):
        _check_reading(text, reading, max_tokens)
    seen: dict[bytes, str] = {}
    for text, row in zip(texts, ids, strict=True):
        other = seen.setdefault(row.tobytes(), text)
        if other is not text:
            both = f"{_shown(other)} and {_shown(text)}"
            raise PromptError(f"the prompts {both} are the same to the network's tokenizer: give one of them")
    return ids


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise PromptError(f"a prompt should be a text, but is a {type(text).__name__}")
    if not text.strip():
        raise PromptError("a prompt is empty; name a class, such as 'a coffee cup'")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise PromptError(
            f"the prompt {text[:20]!r}... has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed"
        )
    if not is_utf_8(text):
        raise PromptError(f"the prompt {_shown(text)} is no text in Unicode: it holds half of a pair of surrogates")


def _check_reading(text: str, reading: Reading, max_tokens: int) -> None:
    if reading.tokens > max_tokens:
        end = text[: reading.read_until][-20:]
        raise PromptError(
            f"the prompt {_shown(text)} would be cut after {end!r}: it is {reading.tokens} tokens long, and the "
            f"network reads {max_tokens}; name the class in fewer words"
        )
    if not reading.known:
        raise PromptError(f"the prompt {_shown(text)} holds nothing that the network's tokenizer knows")


def _far(prompts: Prompts, read: Sequence[Reading], known: KnownPrompts) -> dict[str, str]:
    assert prompts.embeddings is not None, "prompts without embeddings"
    found = zip(prompts.labels, known.far(read, prompts.embeddings), strict=True)
    return {
        label: f"the prompt {_shown(label)} is far from all that training knew: {why}; its score says little"
        for label, why in found
        if why is not None
    }


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
