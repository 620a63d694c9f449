"""The words, the held-out pairs, the tokenizer."""

import numpy as np
from tokenizers import Tokenizer

from edgefuse.fusion.config import CONTINUATION_FROM, VOCABULARY_SIZE
from edgefuse.fusion.labels import prompt_of
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.vocabulary import COLORS, HELD_OUT, LABELS, PAIRS, PROMPTS, SEEN_LABELS, SHAPES, build_tokenizer


def test_labels_and_held_out_pairs():
    assert len(LABELS) == len(set(LABELS)) == 37
    assert {color for color, _ in HELD_OUT} == set(COLORS)
    assert {shape for _, shape in HELD_OUT} == set(SHAPES)
    assert set(HELD_OUT) <= set(PAIRS)
    assert len(SEEN_LABELS) == 31
    assert PROMPTS[0] == "a red ball"
    assert prompt_of("orange ring") == "an orange ring"
    assert PROMPTS[36] == "nothing"


def test_the_configuration_fits_the_tokenizer():
    vocabulary = build_tokenizer().get_vocab()
    assert len(vocabulary) == VOCABULARY_SIZE
    assert {id_ >= CONTINUATION_FROM for token, id_ in vocabulary.items() if token.startswith("##")} == {True}
    assert {id_ >= CONTINUATION_FROM for token, id_ in vocabulary.items() if not token.startswith("##")} == {False}


def test_a_misspelt_word_is_read_by_its_letters():
    tokenizer = build_tokenizer()
    tokens = [token for token in tokenizer.encode("the rde BALL").tokens if token != "[PAD]"]
    assert tokens == ["the", "r", "##d", "##e", "ball"]


def test_any_text_has_32_ids_and_the_tokenizer_survives_a_file(tmp_path):
    texts = ["", "red ball", "x" * 10_000, "é ☃ 日本", "the cube " * 5000]
    tokenizer = build_tokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = token_ids(tokenizer, texts)
    assert ids.shape == (5, 32)
    assert ids.dtype == np.int64
    assert (ids[0] == 0).all()
    np.testing.assert_array_equal(ids, token_ids(again, texts))
