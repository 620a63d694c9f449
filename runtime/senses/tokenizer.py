"""Texts as the ids that text graphs take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.errors import BundleError

MAX_TEXT_CHARACTERS = 500


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """Token ids int64 (texts, max_tokens), cut at max_tokens and padded with 0."""
    ids = np.zeros((len(texts), max_tokens), np.int64)
    for row, encoding in zip(ids, tokenizer.encode_batch(list(texts)), strict=True):
        kept = encoding.ids[:max_tokens]
        row[: len(kept)] = kept
    return ids


def open_tokenizer(bundle: Bundle) -> Tokenizer | None:
    """The bundle's own, if it has one; raises BundleError where it is none."""
    if bundle.manifest.tokenizer is None:
        return None
    path = bundle.directory / bundle.manifest.tokenizer
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises Exception itself
        raise BundleError(f"{path} is no tokenizer: {error}") from error
