"""The tokenizer knows the words that it is given, and reads any other by its characters."""

from edgefuse.fusion.tokenizer import build_tokenizer, continuation_from, token_ids, words_of


def test_each_word_of_a_label_is_one_token():
    labels = ["Cold cup", "crème brûlée", "part-7b"]
    tokenizer = build_tokenizer(words_of(labels), 8)
    assert words_of(labels) == {"cold", "cup", "creme", "brulee", "part", "-", "7b"}
    assert tokenizer.encode("the COLD cups").tokens[:6] == ["the", "cold", "cup", "##s", "[PAD]", "[PAD]"]
    assert tokenizer.encode("Crème brulée!").tokens[:3] == ["creme", "brulee", "!"]


def test_all_ids_from_one_on_continue_a_word():
    tokenizer = build_tokenizer(["zebra"], 8)
    first = continuation_from(tokenizer)
    for token, id_ in tokenizer.get_vocab().items():
        assert (id_ >= first) == token.startswith("##"), token


def test_any_text_has_the_same_length():
    tokenizer = build_tokenizer((), 8)
    assert token_ids(tokenizer, ["", "a cup", "x" * 100]).shape == (3, 8)
    assert not token_ids(tokenizer, [""]).any()
