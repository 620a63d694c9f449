"""A bundle is used only if it is what its manifest says; otherwise one line says what is wrong."""

import shutil
from pathlib import Path

import pytest
from sealed import edit

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError, Perceiver


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))


def test_the_default_bundle_opens_and_holds_no_pickle():
    bundle = Bundle.open(DEFAULT_BUNDLE)
    assert set(bundle.manifest.graphs) == {"image", "audio", "text", "fusion"}
    listed = {"manifest.json", *bundle.manifest.files}
    assert {path.name for path in DEFAULT_BUNDLE.iterdir()} == listed
    assert all(Path(file).suffix in {".onnx", ".json", ".npz", ".html"} for file in listed)


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(BundleError, match="no such bundle"):
        Bundle.open(tmp_path / "nowhere")


def test_a_directory_without_manifest(tmp_path):
    with pytest.raises(BundleError, match=r"has no manifest\.json"):
        Bundle.open(tmp_path)


def test_a_missing_file(bundle):
    (bundle / "audio.onnx").unlink()
    with pytest.raises(BundleError, match=r"audio\.onnx is missing"):
        Bundle.open(bundle)


def test_an_altered_file(bundle):
    content = bytearray((bundle / "image.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "image.onnx").write_bytes(content)
    with pytest.raises(BundleError, match=r"image\.onnx was altered"):
        Bundle.open(bundle)


def test_an_unknown_schema_version(bundle):
    edit(bundle, lambda manifest: manifest.update(schema_version=99))
    with pytest.raises(BundleError, match="schema version 99 is not known here, expected 1"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(colour="blue"), "colour: Extra inputs"),
        (lambda m: m.pop("dim"), "dim: Field required"),
        (lambda m: m["modalities"][1].update(rate_hz=0), "rate_hz"),
        (lambda m: m["files"].pop("text.onnx"), "text.onnx has no checksum"),
        (lambda m: m["files"].update({"../secret": "0" * 64}), "outside the bundle"),
        (lambda m: m.update(background="void"), "background 'void' is not one of the labels"),
        (lambda m: m["modalities"].append(m["modalities"][0]), "the same name twice"),
    ],
)
def test_a_manifest_with_a_bad_value_names_it(bundle, change, said):
    edit(bundle, change)
    with pytest.raises(BundleError) as error:
        Bundle.open(bundle)
    assert "manifest.json" in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_manifest_that_is_not_json(bundle):
    (bundle / "manifest.json").write_text('{"schema_version": 1,')
    with pytest.raises(BundleError, match=r"manifest\.json is no JSON that can be used: Expecting"):
        Bundle.open(bundle)


def test_a_manifest_that_disagrees_with_its_graph(bundle):
    edit(bundle, lambda m: m["modalities"][0]["graph"]["inputs"][0].update(name="picture"))
    with pytest.raises(BundleError, match=r"image\.onnx: the manifest's inputs are picture uint8"):
        Perceiver.open(bundle)


def test_a_graph_that_is_not_onnx(bundle):
    (bundle / "fusion.onnx").write_bytes(b"not a graph")
    edit(bundle, lambda m: None)
    with pytest.raises(BundleError, match=r"fusion\.onnx: ONNX Runtime cannot load this graph"):
        Perceiver.open(bundle)


def test_a_tokenizer_that_is_none(bundle):
    (bundle / "tokenizer.json").write_text("{}")
    edit(bundle, lambda m: None)
    with pytest.raises(BundleError, match=r"tokenizer\.json is no tokenizer"):
        Perceiver.open(bundle)
