"""Encoders from a local directory: what they say, how they travel, and what is refused."""

import json
import resource
import shutil
import struct

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from fuzzing import each_round, is_one_line, mutated_tree
from safetensors.torch import load_file, save_file

from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import PretrainedError
from edgefuse.fusion.pretrained import architectures
from edgefuse.fusion.pretrained.directory import read_pretrained
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.fusion.transfer import EncoderDirectories, start_network
from edgefuse.tabletop.vocabulary import LABELS, build_tokenizer

SENSES = {
    "resnet": "image", "vit": "image", "wav2vec2": "audio", "ast": "audio", "whisper": "audio", "bert": "text",
}  # fmt: skip
TOKENS = {"image": 12, "audio": 16, "text": 4}


@pytest.fixture(scope="module")
def started(pretrained):
    """By the directory's name: a network with that one pretrained encoder, and its tokenizer."""

    def of(name):
        torch.manual_seed(1)
        network, tokenizer = start_network(
            NetworkConfig(), EncoderDirectories(**{SENSES[name]: pretrained / name}), build_tokenizer()
        )
        return network.eval(), tokenizer

    return {name: of(name) for name in SENSES}


def samples(sense, batch, frame=(96, 128)):
    rng = np.random.default_rng(batch)
    if sense == "image":
        return rng.integers(0, 256, (batch, *frame, 3), dtype=np.uint8)
    if sense == "audio":
        return (0.1 * rng.standard_normal((batch, 25_600))).astype(np.float32)
    return rng.integers(1, 200, (batch, 32)) * (np.arange(32) < 6)


@pytest.mark.parametrize("name", SENSES)
def test_tokens_and_a_unit_embedding(started, name):
    sense = SENSES[name]
    with torch.inference_mode():
        out = started[name][0].encoders[sense](torch.from_numpy(samples(sense, 3)))
    assert out.tokens.shape == (3, TOKENS[sense], 128)
    torch.testing.assert_close(out.embedding.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("name", SENSES)
def test_a_checkpoint_alone_gives_the_same_network(started, name, tmp_path):
    network, tokenizer = started[name]
    save_checkpoint(tmp_path / "one.safetensors", Checkpoint(network, tokenizer, LABELS, {}, network.config))
    loaded = load_checkpoint(tmp_path / "one.safetensors")
    assert loaded.config == network.config
    for before, after in zip(network.backbones(), loaded.network.backbones(), strict=True):
        for key, value in before.state_dict().items():
            assert torch.equal(value, after.state_dict()[key]), key
    save_checkpoint(tmp_path / "two.safetensors", loaded)
    again = load_checkpoint(tmp_path / "two.safetensors")
    some = torch.from_numpy(samples(SENSES[name], 2))
    with torch.inference_mode():
        first, second = (one.network.encoders[SENSES[name]](some) for one in (loaded, again))
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.embedding, second.embedding)


@pytest.mark.slow
@pytest.mark.parametrize("name", SENSES)
def test_onnx_runtime_says_the_same_of_any_batch(started, name, tmp_path):
    sense = SENSES[name]
    encoder, path = started[name][0].encoders[sense], tmp_path / "graph.onnx"
    sizes = {0: "batch", **({1: "height", 2: "width"} if sense == "image" else {})}
    torch.onnx.export(
        encoder, (torch.from_numpy(samples(sense, 2)),), path, dynamo=True, opset_version=20, dynamic_shapes=(sizes,),
        verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(path)
    for some in (samples(sense, 1), samples(sense, 5, (48, 70))):
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(some))
        found = session.run(None, {session.get_inputs()[0].name: some})
        for value, array in zip(expected, found, strict=True):
            np.testing.assert_allclose(array, value.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["resnet", "vit", "wav2vec2", "ast", "whisper"])
def test_the_backbone_says_what_it_says_in_transformers(started, pretrained, name):
    encoder = started[name][0].encoders[SENSES[name]]
    model = transformers.AutoModel.from_pretrained(pretrained / name, local_files_only=True).eval()
    model = model.encoder if name == "whisper" else model
    with torch.inference_mode():
        features = encoder.features(torch.from_numpy(samples(SENSES[name], 2)))
        found, expected = encoder.backbone(features).last_hidden_state, model(features).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_bert_reads_as_transformers_reads_it(started, pretrained):
    network, tokenizer = started["bert"]
    ids = torch.from_numpy(token_ids(tokenizer, ["the red ball", "a cube"]))
    model = transformers.BertModel.from_pretrained(pretrained / "bert", local_files_only=True).eval()
    with torch.inference_mode():
        expected = model(ids, attention_mask=(ids != 0).long()).last_hidden_state
        found = network.text.read(ids, (ids == 0).float() * -1e4)
    torch.testing.assert_close(found[:, :2], expected[:, :2], atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing_and_no_text_is_no_nan(started):
    network, tokenizer = started["bert"]
    ids = torch.from_numpy(token_ids(tokenizer, ["the green cube", ""]))
    with torch.inference_mode():
        long, short = network.text(ids), network.text(ids[:, :8])
    torch.testing.assert_close(long.embedding, short.embedding)
    torch.testing.assert_close(long.tokens[0], short.tokens[0])
    assert long.tokens.isfinite().all()
    assert (long.embedding[1] == 0).all()


def test_only_the_window_is_heard_not_the_silence_after_it(started):
    for name in ("ast", "whisper"):
        encoder = started[name][0].audio
        assert encoder.alignment.means.shape[1] < 100 * 1.6 + 1
        quiet_end = torch.from_numpy(samples("audio", 1)).clone()
        quiet_end[:, 12_800:] = 0
        with torch.inference_mode():
            assert not torch.equal(encoder(quiet_end).embedding, encoder(quiet_end.flip(1)).embedding)


def test_what_the_preprocessor_says_is_used(pretrained, tmp_path):
    folder = shutil.copytree(pretrained / "resnet", tmp_path / "resnet")
    said = {"size": {"height": 64, "width": 48}, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    choice = read_pretrained(folder, "image").choice
    assert (choice.size, choice.mean, choice.deviation) == ((64, 48), (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    folder = shutil.copytree(pretrained / "wav2vec2", tmp_path / "wav2vec2")
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False, "sampling_rate": 16_000}))
    assert not read_pretrained(folder, "audio").choice.normalized


def refusal(directory, sense):
    with pytest.raises(PretrainedError) as caught:
        start_network(NetworkConfig(), EncoderDirectories(**{sense: directory}), build_tokenizer())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_directories_that_will_not_do(pretrained, tmp_path):
    assert "no such directory" in refusal(tmp_path / "nowhere", "image")
    assert "config.json" in refusal(tmp_path, "image")
    assert "'bert'; for image it must be resnet or vit" in refusal(pretrained / "bert", "image")
    copies = {name: shutil.copytree(pretrained / name, tmp_path / name) for name in SENSES}
    (copies["vit"] / "model.safetensors").unlink()
    assert "model.safetensors" in refusal(copies["vit"], "image")
    (copies["bert"] / "tokenizer.json").unlink()
    assert "its own tokenizer" in refusal(copies["bert"], "text")
    (copies["wav2vec2"] / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    assert "8000 Hz" in refusal(copies["wav2vec2"], "audio")
    (copies["resnet"] / "preprocessor_config.json").write_text('{"image_mean": "grey"}')
    assert "says of mean is not valid" in refusal(copies["resnet"], "image")
    (copies["ast"] / "config.json").write_text("{")
    assert "not JSON" in refusal(copies["ast"], "audio")


def test_missing_and_damaged_weights(pretrained, tmp_path):
    folder = shutil.copytree(pretrained / "whisper", tmp_path / "whisper")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "encoder.layers.0.fc1" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert "lack 2 weights, such as layers.0.fc1" in refusal(folder, "audio")
    (folder / "model.safetensors").write_bytes(b"no weights")
    assert "cannot read its weights" in refusal(folder, "audio")


def test_weights_of_another_shape_than_the_configuration_says(pretrained, tmp_path):
    folder = shutil.copytree(pretrained / "bert", tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))
    assert refusal(folder, "text") == (
        f"{folder}: its configuration says that encoder.layer.0.intermediate.dense.bias is [64]; "
        "its safetensors hold [48]"
    )
    (folder / "config.json").write_text(json.dumps(config | {"pad_token_id": 7}))
    assert "pads with token 7" in refusal(folder, "text")


MORE = "asks for more weights than there are"
HUGE = [
    ("resnet", {"depths": [10**9, 1]}, MORE),
    ("resnet", {"hidden_sizes": [8, 10**9]}, MORE),
    ("resnet", {"embedding_size": 10**30}, ""),
    ("vit", {"num_hidden_layers": 10**9}, MORE),
    ("vit", {"image_size": 10**6}, MORE),
    ("vit", {"hidden_size": 32_000}, MORE),
    ("wav2vec2", {"num_hidden_layers": 10**9}, MORE),
    ("wav2vec2", {"num_conv_pos_embeddings": 10**9}, MORE),
    ("wav2vec2", {"conv_stride": [1, 1, 1]}, "25,581 states of 25600 samples"),
    ("wav2vec2", {"conv_stride": [10**4, 8, 8]}, "0 states of 25600 samples"),
    ("ast", {"num_hidden_layers": 10**9}, MORE),
    ("ast", {"num_mel_bins": 10**9, "frequency_stride": 10**9}, ""),
    ("ast", {"max_length": 10**9}, MORE),
    ("whisper", {"encoder_layers": 10**9}, MORE),
    ("whisper", {"max_source_positions": 10**9}, MORE),
    ("whisper", {"d_model": 2**40}, ""),
    ("bert", {"num_hidden_layers": 10**9}, MORE),
    ("bert", {"vocab_size": 10**10}, MORE),
    ("bert", {"max_position_embeddings": 10**9}, MORE),
]
"""A directory, what its configuration says, and what is said of it."""


@pytest.mark.parametrize(("name", "said", "refused"), HUGE, ids=lambda value: str(value)[:40])
def test_sizes_are_not_believed_before_they_are_compared_with_the_weights(pretrained, tmp_path, name, said, refused):
    folder = shutil.copytree(pretrained / name, tmp_path / name)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | said))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused in refusal(folder, SENSES[name])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("whisper", {"decoder_layers": 10**9, "vocab_size": 10**9, "decoder_ffn_dim": 10**9}),
        ("vit", {"id2label": {"0": "a"}, "num_labels": 10**9}),
        ("bert", {"transformers_weights": "/dev/zero", "quantization_config": {"quant_method": "gptq"}}),
    ],
    ids=str,
)
def test_what_the_encoder_does_not_need_is_not_built(pretrained, tmp_path, name, said):
    folder = shutil.copytree(pretrained / name, tmp_path / name)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | said))
    assert read_pretrained(folder, SENSES[name]).choice.architecture == config["model_type"]


@pytest.mark.parametrize("beginning", ["encoder.", "model.encoder."], ids=["alone", "with a head"])
def test_whispers_encoder_is_found_in_any_whisper(pretrained, tmp_path, beginning):
    folder = shutil.copytree(pretrained / "whisper", tmp_path / "whisper")
    weights = {name.removeprefix("model."): value for name, value in load_file(folder / "model.safetensors").items()}
    weights = {name.removeprefix("encoder."): one for name, one in weights.items() if name.startswith("encoder.")}
    save_file({beginning + name: one for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    backbone = read_pretrained(folder, "audio").backbone.state_dict()
    assert backbone.keys() == weights.keys()
    assert all(torch.equal(backbone[name], one) for name, one in weights.items())


def test_weights_in_several_files(pretrained, tmp_path):
    transformers.BertModel.from_pretrained(pretrained / "bert").save_pretrained(tmp_path, max_shard_size="20KB")
    shutil.copy(pretrained / "bert" / "tokenizer.json", tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    whole, split = (read_pretrained(one, "text").backbone.state_dict() for one in (pretrained / "bert", tmp_path))
    assert all(torch.equal(split[name], value) for name, value in whole.items())
    for names in ({"a": "../model.safetensors"}, {"a": 3}, {"a": ".."}, [], {}):
        index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
        assert "expected a weight_map" in refusal(tmp_path, "text")


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}},
        {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in "ab"},
        {f"a{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(10_001)},
    ],
    ids=["beyond the end", "of other bytes", "overflow", "negative", "twice the same", "ten thousand"],
)
def test_a_file_that_lies_of_its_weights(pretrained, tmp_path, header):
    folder = shutil.copytree(pretrained / "vit", tmp_path / "vit")
    said = json.dumps(header).encode()
    content = struct.pack("<Q", len(said)) + said + (b"" if "a1" in header else bytes(8))
    (folder / "model.safetensors").write_bytes(content)
    assert str(folder / "model.safetensors") in refusal(folder, "image")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"[1]", b"null", b"", b"{}", b'{"model_type": []}',
        b'{"model_type": {"a": 1}}', b" " * 17_000_000,
    ],
    ids=["binary", "deep", "digits", "list", "null", "empty", "nothing", "type a list", "type a dict", "large"],
)  # fmt: skip
def test_a_configuration_that_is_none_is_one_line(pretrained, tmp_path, content):
    directory = shutil.copytree(pretrained / "vit", tmp_path / "vit")
    (directory / "config.json").write_bytes(content)
    with pytest.raises(PretrainedError) as caught:
        read_pretrained(directory, "image")
    assert is_one_line(caught.value)


def test_weights_that_are_no_numbers_are_refused(pretrained, tmp_path):
    directory = shutil.copytree(pretrained / "vit", tmp_path / "vit")
    weights = load_file(directory / "model.safetensors")
    name = sorted(weights)[-1]
    weights[name] = torch.full_like(weights[name], float("nan"))
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    with pytest.raises(PretrainedError, match="hold NaN or infinity"):
        read_pretrained(directory, "image")


@pytest.mark.fuzz
@pytest.mark.parametrize("name", SENSES)
def test_any_change_to_a_directory_is_an_encoder_or_one_line(pretrained, tmp_path, name):
    directory = shutil.copytree(pretrained / name, tmp_path / name)
    files = [path for path in sorted(directory.iterdir()) if path.suffix == ".json"]
    whole = {path: json.loads(path.read_text()) for path in files}

    def check(random):
        path = random.choice(files)
        path.write_text(json.dumps(mutated_tree(whole[path], random)))
        try:
            start_network(NetworkConfig(), EncoderDirectories(**{SENSES[name]: directory}), build_tokenizer())
        except PretrainedError as error:
            assert is_one_line(error)  # noqa: PT017
        finally:
            path.write_text(json.dumps(whole[path]))

    each_round(8, check)


def test_without_transformers_one_line_says_what_to_install(pretrained, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(architectures, "import_module", missing)
    assert "pip install transformers" in refusal(pretrained / "bert", "text")
