"""The preset `base` and the audio encoder of its own: real sizes, any batch, exportable."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.deep_speech import DeepSpeechEncoder
from edgefuse.fusion.encoder_choice import DeepSpeech
from edgefuse.fusion.presets import base_network
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.task import TABLETOP
from edgefuse.tabletop.vocabulary import LABELS, PROMPTS

SAMPLES = 6400
"""Of the small audio encoder's window: 32 frames."""


@pytest.fixture(scope="module")
def base():
    return base_network(TABLETOP)


@pytest.mark.slow
def test_base_has_the_sizes_of_its_architectures_and_runs(base):
    network = base.network
    millions = {
        sense: sum(one.numel() for one in encoder.parameters()) / 1e6 for sense, encoder in network.encoders.items()
    }
    assert 23.5 < millions["image"] - 1.1 < 24.5
    assert 108.5 < millions["text"] - 0.6 < 109.5
    assert 15 < millions["audio"] < 20
    rng = np.random.default_rng(0)
    frames = torch.from_numpy(rng.integers(0, 256, (2, 96, 128, 3), dtype=np.uint8))
    sounds = torch.from_numpy((0.1 * rng.standard_normal((2, 25_600))).astype(np.float32))
    ids = torch.from_numpy(token_ids(base.tokenizer, PROMPTS[:5]))
    with torch.inference_mode():
        out = network(frames, sounds, ids[:2], torch.ones(2, 3, dtype=torch.bool), ids)
    assert base.labels == LABELS
    assert out.scores.shape == (2, 5)
    torch.testing.assert_close(out.scores.sum(dim=1), torch.ones(2))
    assert not network.training


def test_the_same_seed_gives_the_same_network_and_leaves_the_generator_alone(monkeypatch):
    small = NetworkConfig(audio_encoder=DeepSpeech(width=16), image_size=(32, 32))
    monkeypatch.setattr("edgefuse.fusion.presets.BASE", small)
    torch.manual_seed(5)
    one = base_network(TABLETOP, 1).network.state_dict()
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    again, other = base_network(TABLETOP, 1).network.state_dict(), base_network(TABLETOP, 2).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert not torch.equal(one["encoders.audio.second.weight"], other["encoders.audio.second.weight"])


@pytest.fixture(scope="module")
def deep_speech():
    torch.manual_seed(2)
    config = NetworkConfig(window_samples=SAMPLES, audio_encoder=DeepSpeech(width=32))
    return DeepSpeechEncoder(config, config.audio_encoder).eval()


@pytest.mark.slow
def test_it_exports_with_one_recurrent_operator_and_any_batch(deep_speech, tmp_path):
    path = tmp_path / "audio.onnx"
    torch.onnx.export(
        deep_speech, (torch.zeros(2, SAMPLES),), path, dynamo=True, opset_version=20, dynamic_shapes=({0: "batch"},),
        verbose=False,
    )  # fmt: skip
    assert [node.op_type for node in onnx.load(path).graph.node].count("GRU") == 1
    session = onnxruntime.InferenceSession(path)
    for batch in (1, 3):
        pcm = (0.1 * np.random.default_rng(batch).standard_normal((batch, SAMPLES))).astype(np.float32)
        found = session.run(None, {session.get_inputs()[0].name: pcm})
        with torch.inference_mode():
            expected = deep_speech(torch.from_numpy(pcm))
        for value, array in zip(expected, found, strict=True):
            np.testing.assert_allclose(array, value.numpy(), atol=1e-4)


def test_the_sound_at_both_ends_reaches_every_token(deep_speech):
    pcm = 0.1 * torch.randn(1, SAMPLES, generator=torch.Generator().manual_seed(3))
    for part in (slice(0, 400), slice(6000, None)):
        other = pcm.clone()
        other[:, part] = 0
        with torch.inference_mode():
            assert (deep_speech(pcm).tokens != deep_speech(other).tokens).any(dim=2).all()
