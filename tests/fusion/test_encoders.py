"""What the encoders promise whatever they are given."""

import pytest
import torch

from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.vocabulary import build_tokenizer


@pytest.fixture(scope="module")
def embed(network):
    tokenizer = build_tokenizer()

    def of(*texts):
        with torch.inference_mode():
            return network.encoders["text"](torch.from_numpy(token_ids(tokenizer, texts)))

    return of


def test_shapes_and_unit_length(encoded):
    for tokens, count in zip(encoded[0], (12, 16, 4), strict=True):
        assert tokens.shape == (5, count, 128)
    for embedding in encoded[1][:2]:
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))


def test_a_text_of_padding_only_says_nothing_and_is_no_nan(embed):
    out = embed("", "   ")
    assert out.tokens.isfinite().all()
    assert (out.embedding == 0).all()


def test_padding_does_not_change_a_text(network):
    ids = torch.from_numpy(token_ids(build_tokenizer(), ["the green cube, please"]))
    with torch.inference_mode():
        long, short = network.encoders["text"](ids), network.encoders["text"](ids[:, :8])
    torch.testing.assert_close(long.embedding, short.embedding)
    torch.testing.assert_close(long.tokens, short.tokens)


def test_a_pair_lies_between_its_words(embed):
    pair, color, shape = embed("red ball", "red", "ball").embedding
    plane = torch.linalg.qr(torch.stack([color, shape], dim=1))[0]
    assert (plane @ (plane.T @ pair)).norm() > 0.999


def test_strange_texts_give_finite_unit_embeddings(embed):
    out = embed("x" * 10_000, "日本 ÅÇ ☃", "?!", "re d bal l " * 900)
    torch.testing.assert_close(out.embedding.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("value", [0, 255])
def test_flat_frames_and_loud_or_silent_sound_are_finite(network, value):
    with torch.inference_mode():
        image = network.encoders["image"](torch.full((1, 48, 64, 3), value, dtype=torch.uint8))
        audio = network.encoders["audio"](torch.full((1, 25_600), value / 255))
    assert image.embedding.isfinite().all()
    assert audio.embedding.isfinite().all()
