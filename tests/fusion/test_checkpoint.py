"""A checkpoint comes back as it was saved; anything else is one clear line."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from edgefuse.fusion.checkpoint import KIND, Checkpoint, load_checkpoint, save_checkpoint
from edgefuse.fusion.errors import CheckpointError
from edgefuse.fusion.task_record import FolderRecord
from edgefuse.tabletop.vocabulary import LABELS, build_tokenizer


@pytest.fixture
def path(network, tmp_path):
    checkpoint = Checkpoint(network, build_tokenizer(), LABELS, {"accuracy": 0.9}, network.config)
    save_checkpoint(tmp_path / "a" / "one.safetensors", checkpoint)
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
    save_checkpoint(tmp_path / "two.safetensors", loaded)
    again = load_checkpoint(tmp_path / "two.safetensors")
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])


def test_what_it_was_trained_on_is_kept(network, tmp_path):
    task = FolderRecord(path="/data/cups", trained_on=("0123456789abcdef",), held_out=())
    checkpoint = Checkpoint(network, build_tokenizer(), LABELS, {}, network.config, task)
    save_checkpoint(tmp_path / "one.safetensors", checkpoint)
    assert load_checkpoint(tmp_path / "one.safetensors").task == task


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
    metadata |= {"config": network.config.model_dump_json(), "tokenizer": build_tokenizer().to_str()}
    save_file({"w": torch.zeros(2)}, tmp_path / "weights.safetensors", metadata)
    assert "damaged" in refusal(tmp_path / "weights.safetensors")
    metadata |= {"labels": "[]", "figures": "{}", "task": json.dumps({"kind": "module", "path": "robot.tasks"})}
    save_file(network.state_dict(), tmp_path / "task.safetensors", metadata)
    assert "task are not valid here" in refusal(tmp_path / "task.safetensors")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("config", {"dim": 10**12}, "(dim)"),
        (
            "config",
            {"dim": 4096, "fusion_layers": 8},
            "its configuration is of 134,217,728 weights and more, but it holds",
        ),
        ("config", {"window_samples": 2**62}, "(window_samples)"),
        ("config", {"image_channels": [24, 32, 64, 10**9]}, "(image_channels.3)"),
        ("labels", {"cup": 1}, "not valid"),
        ("labels", [1, 2], "not valid"),
        ("figures", [1], "not valid"),
        ("figures", {"accuracy": float("nan")}, "not valid"),
    ],
)
def test_metadata_that_makes_no_sense(path, tmp_path, field, value, said):
    """A configuration of a large network took the memory for it before its weights were looked at."""
    with safe_open(path, framework="pt") as file:
        metadata, state = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    known = json.loads(metadata[field])
    metadata[field] = json.dumps(known | value if isinstance(known, dict) and isinstance(value, dict) else value)
    save_file(state, tmp_path / "other.safetensors", metadata)
    assert said in refusal(tmp_path / "other.safetensors")
