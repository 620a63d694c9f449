"""A checkpoint comes back as it was saved; anything else is one clear line."""

import json
import resource

import pytest
import torch
from fuzzing import each_round, is_one_line, mutated, mutated_tree
from safetensors import safe_open
from safetensors.torch import save_file

from edgefuse.fusion.checkpoint import KIND, Checkpoint, load_checkpoint, save_checkpoint
from edgefuse.fusion.errors import CheckpointError, FusionError
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


def changed(path, target, tensors=None, **metadata):
    """A copy with other weights or metadata."""
    with safe_open(path, "pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()} | (tensors or {})  # noqa: SIM118
        save_file(kept, target, {**file.metadata(), **metadata})
    return target


def config_of(network, **fields):
    return json.dumps({**network.config.model_dump(mode="json"), **fields})


def test_damaged_inside(path, tmp_path, network):
    metadata = {"kind": KIND, "schema": "1", "config": "{}"}
    save_file({"w": torch.zeros(2)}, tmp_path / "parts.safetensors", metadata)
    assert "lacks tokenizer, labels, figures" in refusal(tmp_path / "parts.safetensors")
    metadata |= {"tokenizer": build_tokenizer().to_str(), "labels": '["a"]', "figures": "{}"}
    save_file({"w": torch.zeros(2)}, tmp_path / "weights.safetensors", metadata)
    assert "lack a fusion.kind" in refusal(tmp_path / "weights.safetensors")
    for number, (field, value) in enumerate(
        {"config": '{"dims": 3}', "labels": '"abc"', "figures": '{"accuracy": "NaN"}', "tokenizer": "{}"}.items()
    ):
        refusal(changed(path, tmp_path / f"{number}.safetensors", **{field: value}))
    task = json.dumps({"kind": "module", "path": "robot.tasks"})
    assert "not valid here" in refusal(changed(path, tmp_path / "task.safetensors", task=task))
    assert "twice" in refusal(changed(path, tmp_path / "labels.safetensors", labels='["a", "a"]'))


@pytest.mark.parametrize(
    "fields",
    [
        {"dims": 3}, {"dim": -8}, {"dim": 10**9}, {"dim": "wide"}, {"heads": 0}, {"heads": 3}, {"fusion_layers": 10**6},
        {"image_size": [0, 0]}, {"image_size": [10**6, 10**6]}, {"image_channels": [1, 2]}, {"hop_samples": 0},
        {"vocabulary_size": 10**12}, {"dim": 4096}, {"vocabulary_size": 1_000_000}, {"sample_rate_hz": 1},
        {"frame_samples": 10**9}, {"window_samples": 10}, {"mel_bands": 1e300}, {"text_length": 10**9},
        {"image_encoder": {"kind": "pretrained", "architecture": "resnet", "model": {"hidden_sizes": [10**9] * 4},
                           "size": [96, 128], "mean": [0, 0, 0], "deviation": [1, 1, 1]}},
        {"text_encoder": {"kind": "pretrained", "architecture": "bert", "model": {"vocab_size": 10**9}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_configuration_out_of_sense_takes_no_memory(path, tmp_path, network, fields):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(changed(path, tmp_path / "one.safetensors", config=config_of(network, **fields)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("padding", None, "make 32 ids of every text"),
        ("padding", {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "[PAD]"}, "make 32 ids of every text"),
        ("truncation", None, "make 32 ids of every text"),
        ("truncation", {"direction": "Right", "max_length": 32, "strategy": "OnlySecond", "stride": 0}, "make 32 ids"),
        ("model", {"type": "WordLevel", "vocab": {"[PAD]": 0, "[UNK]": 1, "ball": 10**6}, "unk_token": "[UNK]"},
         "has ids up to 1000000, the text encoder up to 204"),
        ("post_processor", {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
                            "pair": [], "special_tokens": {"x": {"id": "x", "ids": [900], "tokens": ["x"]}}},
         "has ids up to 900"),
    ],
)  # fmt: skip
def test_a_tokenizer_that_the_text_encoder_cannot_use_is_refused(path, tmp_path, field, value, said):
    tokenizer = json.loads(build_tokenizer().to_str()) | {field: value}
    assert said in refusal(changed(path, tmp_path / "one.safetensors", tokenizer=json.dumps(tokenizer)))


def test_weights_that_are_no_numbers_are_refused_by_name(path, tmp_path):
    odd = {"fusion.gain.bias": torch.tensor([float("nan")])}
    assert "fusion.gain.bias hold NaN" in refusal(changed(path, tmp_path / "one.safetensors", odd))


@pytest.mark.fuzz
def test_any_change_to_a_checkpoint_is_the_same_network_or_one_line(path, tmp_path):
    content, target = path.read_bytes(), tmp_path / "fuzzed.safetensors"
    with safe_open(path, "pt") as file:
        names, metadata = list(file.keys()), file.metadata()

    def check(random):
        if random.random() < 0.5:
            head = 8 + int.from_bytes(content[:8], "little")
            target.write_bytes(mutated(content[:head], random) + content[head:])
        else:
            field = random.choice([name for name in metadata if name != "kind"])
            try:
                value = json.dumps(mutated_tree(json.loads(metadata[field]), random))
            except ValueError:
                value = mutated(metadata[field].encode(), random).decode(errors="replace")
            changed(path, target, **{field: value})
        try:
            loaded = load_checkpoint(target)
            assert names == sorted(loaded.network.state_dict())
            assert loaded.labels
        except FusionError as error:
            assert is_one_line(error)  # noqa: PT017

    each_round(25, check)
