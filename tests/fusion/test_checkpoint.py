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
    metadata |= {"labels": '["cup"]', "figures": "{}", "task": json.dumps({"kind": "module", "path": "robot.tasks"})}
    save_file(network.state_dict(), tmp_path / "task.safetensors", metadata)
    assert "task is not valid here" in refusal(tmp_path / "task.safetensors")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dim": 8192}, "says dim 8192, and no weight of it is of that size"),
        ({"vocabulary_size": 9_999_999}, "says vocabulary_size 9999999, and no weight"),
        ({"audio_channels": [32, 48, 7000]}, "says audio_channels 7000, and no weight"),
        ({"frame_samples": 2**40}, "is not valid here (frame_samples)"),
        ({"image_size": [10**9, 10**9]}, "is not valid here (image_size.0, image_size.1)"),
        ({"hop_samples": 0}, "is not valid here (hop_samples)"),
    ],
)
def test_a_configuration_that_says_more_than_the_weights_is_refused(path, tmp_path, network, changed, said):
    """Memory is taken by what it says."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    metadata["config"] = json.dumps(json.loads(metadata["config"]) | changed)
    save_file(network.state_dict(), tmp_path / "huge.safetensors", metadata)
    assert said in refusal(tmp_path / "huge.safetensors")
