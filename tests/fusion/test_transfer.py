"""Transfer learning: what is frozen stays to the bit, what is not learns, slowly; and it lowers the loss."""

import cv2
import numpy as np
import pytest
import soundfile
import torch
from shown_losses import total_loss

from edgefuse.fusion.checkpoint import load_checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import PretrainedError
from edgefuse.fusion.folder_task import FolderTask
from edgefuse.fusion.pretrained.directory import read_pretrained
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.tokenizer import build_tokenizer
from edgefuse.fusion.training import parameter_groups, train
from edgefuse.fusion.transfer import EncoderDirectories, start_network

FEW = {"epochs": 1, "steps_per_epoch": 6, "fusion_steps": 2, "batch": 8, "threads": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of plain pictures and tones."""
    root = tmp_path_factory.mktemp("data")
    for label, color, hz in (("warm cup", (0, 60, 220), 300), ("cold cup", (220, 60, 0), 900)):
        (root / label).mkdir()
        for index in range(5):
            cv2.imwrite(str(root / label / f"{index}.png"), np.full((60, 90, 3), color, np.uint8))
            tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)
            soundfile.write(root / label / f"{index}.wav", tone, 16_000)
    return root


@pytest.fixture(scope="module")
def directories(pretrained):
    return EncoderDirectories(pretrained / "resnet", pretrained / "wav2vec2", pretrained / "bert")


def weights_of(trained):
    return {
        sense: encoder.backbone.state_dict()
        for sense, encoder in load_checkpoint(trained.checkpoint).network.encoders.items()
    }


def original(directories):
    return {
        sense: read_pretrained(getattr(directories, sense), sense).backbone.state_dict()
        for sense in ("image", "audio", "text")
    }


@pytest.mark.slow
def test_frozen_backbones_stay_to_the_bit_while_the_rest_learns(directories, folder, tmp_path):
    steps = []
    settings = TrainingSettings(**FEW | {"steps_per_epoch": 15})
    trained = train(
        FolderTask(folder),
        settings,
        tmp_path,
        lambda said, *_: said.startswith("training") and steps.append(total_loss(said)),
        directories,
    )
    found = weights_of(trained)
    for sense, weights in original(directories).items():
        for name, value in weights.items():
            assert torch.equal(found[sense][name], value), name
    assert steps[-1] < steps[0]
    assert "place" not in trained.losses


@pytest.mark.slow
def test_fine_tuned_backbones_learn_too(directories, folder, tmp_path):
    trained = train(FolderTask(folder), TrainingSettings(**FEW, fine_tune=True), tmp_path, encoders=directories)
    found = weights_of(trained)
    for sense, weights in original(directories).items():
        moved = [(found[sense][name] - value).abs().max() for name, value in weights.items() if value.ndim > 1]
        assert max(moved) > 0, sense


def test_backbones_learn_at_their_share_of_the_rate(directories):
    network, _ = start_network(NetworkConfig(), directories, build_tokenizer((), 32))
    settings = TrainingSettings(fine_tune=True, backbone_rate=0.1)
    backbones = torch.nn.ModuleList(network.backbones())
    groups = parameter_groups(network, backbones, 1e-3, settings)
    rate_of = {one: group["lr"] for group in groups for one in group["params"]}
    assert set(rate_of) == set(network.parameters())
    assert {rate_of[one] for one in backbones.parameters()} == {1e-4}
    assert rate_of[network.image.alignment.tokens.weight] == 1e-3
    backbones.requires_grad_(False)
    assert not set(backbones.parameters()) & {
        one for group in parameter_groups(network, backbones, 1e-3, settings) for one in group["params"]
    }


@pytest.mark.slow
def test_one_pretrained_sense_beside_compact_ones(pretrained, folder, tmp_path):
    encoders = EncoderDirectories(audio=pretrained / "ast")
    trained = train(FolderTask(folder), TrainingSettings(**FEW), tmp_path, encoders=encoders)
    loaded = load_checkpoint(trained.checkpoint)
    assert loaded.config.audio_encoder.architecture == "audio-spectrogram-transformer"
    assert loaded.config.image_encoder.kind == "compact"
    assert "place" in trained.losses


def test_nothing_to_fine_tune(folder, tmp_path):
    with pytest.raises(PretrainedError, match="nothing to fine-tune"):
        train(FolderTask(folder), TrainingSettings(fine_tune=True), tmp_path)
