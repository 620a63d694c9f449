"""The built-in tokenizer: known words are one token each, any other word is read by its characters."""

import string
from collections.abc import Iterable, Sequence

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from edgefuse.fusion.config import PADDING_ID

EVERYDAY_WORDS = (
    "a", "an", "and", "anything", "at", "big", "bring", "can", "down", "empty", "find", "for", "give", "hand", "here",
    "hold", "i", "in", "is", "it", "large", "left", "like", "little", "look", "me", "move", "my", "need", "next",
    "nice", "no", "not", "nothing", "now", "object", "of", "okay", "on", "one", "our", "pick", "please", "put", "right",
    "robot", "see", "shiny", "show", "small", "something", "table", "take", "thanks", "that", "the", "there", "thing",
    "this", "to", "up", "want", "we", "what", "where", "with", "you", "your",
)  # fmt: skip
"""What people say around the name of a thing, whatever the task is."""

CONTINUATION = "##"
"""Marks a piece that continues the word before."""

NORMALIZER = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
PRE_TOKENIZER = pre_tokenizers.BertPreTokenizer()


def build_tokenizer(words: Iterable[str], length: int) -> Tokenizer:
    """A tokenizer that knows `words`, lower case and without accents, besides EVERYDAY_WORDS.

    Ids: 0 padding, 1 unknown, then words and characters, then the inner characters (see `continuation_from`). Every
    text becomes exactly `length` ids: truncated or padded.
    """
    characters = string.ascii_lowercase + string.digits
    known = sorted({*words, *EVERYDAY_WORDS, *characters, *string.punctuation})
    tokens = ["[PAD]", "[UNK]", *known, *(CONTINUATION + character for character in characters)]
    tokenizer = Tokenizer(models.WordPiece(vocab={token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = NORMALIZER
    tokenizer.pre_tokenizer = PRE_TOKENIZER
    tokenizer.decoder = decoders.WordPiece()
    fix_length(tokenizer, length)
    return tokenizer


def fix_length(tokenizer: Tokenizer, length: int) -> None:
    """From now on every text becomes exactly `length` ids: truncated, or padded with 0."""
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=PADDING_ID, pad_token=tokenizer.id_to_token(PADDING_ID) or "[PAD]", length=length)


def fault_of_tokenizer(tokenizer: Tokenizer, length: int, size: int) -> str | None:
    """Why a text encoder that takes `length` ids below `size` cannot use it, to follow "its tokenizer"; None where it
    can."""
    fixed = Tokenizer.from_str(tokenizer.to_str())
    fix_length(fixed, length)
    if (tokenizer.padding, tokenizer.truncation) != (fixed.padding, fixed.truncation):
        return f"does not make {length} ids of every text"
    highest = max(int(token_ids(tokenizer, [""]).max()), *tokenizer.get_vocab().values())
    return f"has ids up to {highest}, the text encoder up to {size - 1}" if highest >= size else None


def words_of(texts: Iterable[str]) -> set[str]:
    """The words of texts as the tokenizer reads them."""
    return {word for text in texts for word in words_in(text)}


def words_in(text: str) -> tuple[str, ...]:
    """The same of one text, in their order."""
    return tuple(word for word, _ in PRE_TOKENIZER.pre_tokenize_str(NORMALIZER.normalize_str(text)))


def continuation_from(tokenizer: Tokenizer) -> int:
    """The first id that continues the word before, as all after it do; the vocabulary's size where none does."""
    inner = [id_ for token, id_ in tokenizer.get_vocab().items() if token.startswith(CONTINUATION)]
    return min(inner, default=tokenizer.get_vocab_size())


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """int64 (texts, length). An empty text is padding only."""
    return np.array([encoding.ids for encoding in tokenizer.encode_batch(list(texts))], dtype=np.int64)
