"""A checkpoint comes back as it was saved; anything else is one clear line."""

import json

import pytest
import torch
from safetensors.torch import save_file

from edgefuse.fusion.checkpoint import KIND, load_checkpoint, save_checkpoint
from edgefuse.fusion.errors import CheckpointError
from edgefuse.fusion.vocabulary import LABELS, build_tokenizer


@pytest.fixture
def path(network, tmp_path):
    save_checkpoint(tmp_path / "a" / "one.safetensors", network, build_tokenizer().to_str(), LABELS, {"accuracy": 0.9})
    return tmp_path / "a" / "one.safetensors"


def test_round_trip(network, path):
    loaded = load_checkpoint(path)
    assert loaded.labels == LABELS
    assert loaded.figures == {"accuracy": 0.9}
    assert loaded.config == network.config
    assert loaded.tokenizer.encode("red ball").ids == build_tokenizer().encode("red ball").ids
    assert not loaded.network.training
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_saving_twice_changes_nothing(path, tmp_path):
    loaded = load_checkpoint(path)
    save_checkpoint(tmp_path / "two.safetensors", loaded.network, loaded.tokenizer.to_str(), loaded.labels, {})
    again = load_checkpoint(tmp_path / "two.safetensors")
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_refused_files(path, tmp_path):
    assert "no such file" in refusal(tmp_path / "missing.safetensors")
    (tmp_path / "text.safetensors").write_text("not a checkpoint")
    assert "not a safetensors file" in refusal(tmp_path / "text.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:-1000])
    assert "not a safetensors file" in refusal(tmp_path / "cut.safetensors")
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors", {"kind": "bert"})
    assert "not a checkpoint" in refusal(tmp_path / "other.safetensors")
    save_file({"w": torch.zeros(2)}, tmp_path / "new.safetensors", {"kind": KIND, "schema": "99"})
    assert "'99'" in refusal(tmp_path / "new.safetensors")


def test_damaged_inside(path, tmp_path, network):
    metadata = {"kind": KIND, "schema": "1", "config": json.dumps({"dims": 3})}
    save_file({"w": torch.zeros(2)}, tmp_path / "config.safetensors", metadata)
    assert "dims" in refusal(tmp_path / "config.safetensors")
    metadata["config"] = network.config.model_dump_json()
    save_file({"w": torch.zeros(2)}, tmp_path / "weights.safetensors", metadata)
    assert "damaged" in refusal(tmp_path / "weights.safetensors")
