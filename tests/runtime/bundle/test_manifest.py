"""A manifest that was altered, that says a thing twice, or that says what cannot be, is refused in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import is_one_line
from sealed import edit

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError
from edgefuse.runtime.bundle.manifest import read_manifest

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))


def refusal(bundle: Path) -> str:
    with pytest.raises(BundleError) as refused:
        Bundle.open(bundle)
    assert is_one_line(refused.value)
    assert str(bundle) in str(refused.value)
    return str(refused.value)


def test_the_seal_can_be_checked_without_edgefuse() -> None:
    content = (DEFAULT_BUNDLE / "manifest.json").read_bytes()
    seal = json.loads(content)["sha256"]
    assert hashlib.sha256(content.replace(seal.encode(), b"0" * 64, 1)).hexdigest() == seal
    assert Bundle.open(DEFAULT_BUNDLE).identity == seal[:12]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"rate_hz": 16000', '"rate_hz": 8000'),
        ('"red ball": "a red ball"', '"red ball": "a blue ball"'),
        ("\n", "\r\n"),
        ('"sha256": "', '"sha256": "0123456789abcdef'),
    ],
)
def test_a_manifest_that_was_altered_by_hand(bundle: Path, said: str, instead: str) -> None:
    path = bundle / "manifest.json"
    text = path.read_text()
    assert said in text
    path.write_bytes(text.replace(said, instead, 1).encode())
    assert "was altered by hand: its sha256 is not what it says; export again" in refusal(bundle)


@pytest.mark.parametrize("seal", [None, "0" * 64])
def test_a_manifest_without_a_seal(bundle: Path, seal: str | None) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text()) | {"sha256": seal}
    path.write_text(json.dumps({name: value for name, value in manifest.items() if value is not None}))
    assert "has no sha256 of itself" in refusal(bundle)


def test_a_manifest_that_says_a_thing_twice(bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"dim": 128,', '"dim": 128, "dim": 64,'))
    assert "the key 'dim' stands twice" in refusal(bundle)


def test_what_is_written_is_sealed_and_is_what_is_read(bundle: Path) -> None:
    former = read_manifest(bundle)
    written = former.model_copy(update={"name": "another"}).write(bundle)
    assert read_manifest(bundle) == written
    assert written.sha256 != former.sha256
    assert former.write(bundle) == former


def test_what_makes_no_sense_is_not_written(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    with pytest.raises(BundleError, match="name: "):
        manifest.model_copy(update={"name": "two\nlines"}).write(bundle)
    assert read_manifest(bundle) == manifest


def of_audio(**fields: Any) -> Change:
    return lambda manifest: manifest["modalities"][1].update(fields)


def of_image_input(**fields: Any) -> Change:
    return lambda manifest: manifest["modalities"][0]["graph"]["inputs"][0].update(fields)


SENSELESS: list[tuple[Change, str]] = [
    (of_audio(rate_hz=10**30), "rate_hz"),
    (of_audio(rate_hz=2**63), "rate_hz"),
    (of_audio(rate_hz=999), "rate_hz"),
    (of_audio(rate_hz="16000"), "rate_hz"),
    (of_audio(rate_hz=16000.5), "rate_hz"),
    (of_audio(hop_samples=2**63), "hop_samples"),
    (of_audio(hop_samples=True), "hop_samples"),
    (of_audio(hop_samples=25_601), "a hop of 25601 samples is more than the window, 25600"),
    (of_audio(window_samples=10**9), "window_samples"),
    (of_audio(max_age_ms=1e300), "max_age_ms"),
    (of_audio(max_age_ms=199.0), "max_age_ms is 199, less than a hop takes, 200 ms"),
    (lambda m: m["modalities"][0].update(max_age_ms=1e-9), "max_age_ms"),
    (lambda m: m["modalities"][0].update(name="i" * 101), "name"),
    (lambda m: m["modalities"][2].update(max_tokens=2**40), "max_tokens"),
    (lambda m: m.update(modalities=m["modalities"] * 22), "modalities"),
    (lambda m: m.update(dim=10**12), "dim"),
    (lambda m: m.update(name=""), "name"),
    (lambda m: m.update(name="\x1b[31mred"), "name: holds the control character"),
    (lambda m: m["labels"].update({"two\nlines": "a line"}), "holds the control character"),
    (lambda m: m["labels"].update(next="a \u2028 line"), "holds the control character"),
    (lambda m: m.update(labels={f"{n:x}": "" for n in range(50_001)}), "labels"),
    (of_image_input(shape=["batch", 0, 0, 3]), "shape"),
    (of_image_input(shape=["batch", 100_000, 100_000, 3]), "is more than 150,000,000 values"),
    (of_image_input(shape=[1] * 9), "shape"),
    (of_image_input(shape=["batch", -1, 4, 3]), "shape"),
    (lambda m: m["golden"]["bounds"][0].update(cosine=-1e300), "cosine"),
    (lambda m: m["golden"]["bounds"][0].update(cosine=None), "bounds nothing"),
    (lambda m: m["golden"]["bounds"][0].update(difference=-1), "difference"),
    (lambda m: m["golden"].update(bounds=[]), "bounds"),
    (lambda m: m["verified"]["graphs"][0].update(samples=-1), "samples"),
    (lambda m: m["verified"]["accuracy"][0].update(bundle="NaN"), "bundle"),
    (lambda m: m["verified"]["accuracy"][0].update(bundle=1e301), "verified: bundle is 1e+301"),
    (lambda m: m["files"].update({"golden.npz/": m["files"]["golden.npz"]}), "is no name of a file in a bundle"),
    (lambda m: m["files"].update({"./golden.npz": m["files"]["golden.npz"]}), "is no name of a file in a bundle"),
    (lambda m: m["files"].update({"manifest.json": m["files"]["golden.npz"]}), "is no name of a file in a bundle"),
    (lambda m: m["files"].update({"/etc/passwd": m["files"]["golden.npz"]}), "outside the bundle"),
    (lambda m: m["files"]["golden.npz"].update(bytes=-1), "bytes"),
    (lambda m: m["files"]["golden.npz"].update(bytes=10**12), "EDGEFUSE_MAX_BUNDLE_BYTES raises that"),
    (lambda m: m["files"]["golden.npz"].update(bytes=10), "golden.npz was altered: it has 349,217 bytes"),
    (lambda m: m["made"].update(packages={str(n): "1" for n in range(1_001)}), "packages"),
    (lambda m: m.update(sense="of humour"), "sense: Extra inputs"),
]


@pytest.mark.parametrize(("change", "said"), SENSELESS)
def test_what_makes_no_sense_is_refused_even_if_it_is_sealed(bundle: Path, change: Change, said: str) -> None:
    assert said in refusal(edit(bundle, change))


def engine(bundle: Path, **changes: Any) -> dict[str, Any]:
    manifest = read_manifest(bundle)
    text = manifest.graphs["text"].model_dump(mode="json")
    return {
        "file": "golden.npz",
        "target": "tensorrt",
        "version": "10.0",
        "compute_capability": "8.9",
        "graph_sha256": manifest.files["text.onnx"].sha256,
        "profile": {"ids": [[1, 32], [1, 32], [64, 32]]},
        "inputs": text["inputs"],
        "outputs": text["outputs"],
    } | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"profile": {"ids": [[1, 32], [1, 32], [2**60, 32]]}}, "profile"),
        ({"profile": {"ids": [[1, 32], [1, 32], [64]]}}, "should rise"),
        ({"profile": {"ids": [[2, 32], [1, 32], [64, 32]]}}, "should rise"),
        ({"compute_capability": "\x1b[2J"}, "compute_capability"),
        ({"version": ""}, "version"),
        ({"file": "../engine"}, "outside the bundle"),
    ],
)
def test_an_engine_that_makes_no_sense(bundle: Path, changes: dict[str, Any], said: str) -> None:
    engines = [engine(bundle, **changes)]
    assert said in refusal(edit(bundle, lambda m: m["modalities"][2]["graph"].update(engines=engines)))


def test_an_engine_that_makes_sense(bundle: Path) -> None:
    edit(bundle, lambda m: m["modalities"][2]["graph"].update(engines=[engine(bundle)]))
    assert Bundle.open(bundle).manifest.graphs["text"].engines


def test_a_bundle_from_before_manifests_were_sealed_opens_and_says_so(
    bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = bundle / "manifest.json"
    document = json.loads(path.read_text())
    document.pop("sha256")
    document["files"] = {file: spec["sha256"] for file, spec in document["files"].items()}
    path.write_text(json.dumps(document, indent=2) + "\n")
    opened, sealed_one = Bundle.open(bundle).manifest, Bundle.open(DEFAULT_BUNDLE).manifest
    assert opened.model_copy(update={"sha256": sealed_one.sha256}) == sealed_one
    assert "is not sealed" in caplog.text
    (bundle / "text.onnx").write_bytes(b"other")
    assert "text.onnx was altered" in refusal(bundle)
