"""An export gives a whole, verified bundle that says what PyTorch says, or one clear line and the former bundle."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from edgefuse.export import parity
from edgefuse.export.errors import ExportError
from edgefuse.export.exporter import export_bundle
from edgefuse.export.spec import FusionSpec
from edgefuse.networks import spec_from_name
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.engines.selftest import replay
from edgefuse.runtime.errors import BundleError, PromptError
from edgefuse.runtime.files.digest import sha256_of

SLOW_EXPORT = """
import pathlib, sys, time
import onnx
from edgefuse.export import exporter
from edgefuse.tabletop import splits
from edgefuse.networks import spec_from_name

splits.CALIBRATION_EXAMPLES, splits.VERIFICATION_PER_CLASS = 70, 2
bundle, traced = map(pathlib.Path, sys.argv[2:])
exporter.trace_graphs = lambda sources, progress: {p.stem: onnx.load(p) for p in sorted(traced.glob("*.onnx"))}

def wait_while_verifying(stage, done, total):
    if stage == "verify":
        print(stage, flush=True)
        time.sleep(60)

exporter.export_bundle(spec_from_name(sys.argv[1]), bundle, "fp32", progress=wait_while_verifying)
"""


def altered(checkpoint_path: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """A copy of the checkpoint with other weights."""
    with safe_open(checkpoint_path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = file.metadata()
    change(state)
    save_file(state, target, metadata)
    return target


def test_the_bundle_is_whole_verified_and_says_how_it_was_made(fp32_bundle: Path, checkpoint_path: Path) -> None:
    bundle = Bundle.open(fp32_bundle)
    manifest = bundle.manifest
    assert [modality.name for modality in manifest.modalities] == ["image", "audio", "text"]
    assert manifest.labels["red ball"] == "a red ball"
    assert manifest.background == "nothing"
    assert {graph.precision for graph in manifest.graphs.values()} == {"fp32"}
    assert manifest.made.command == "edgefuse export random.safetensors"
    assert manifest.made.checkpoint_sha256 == sha256_of(checkpoint_path)
    assert manifest.verified is not None
    assert not manifest.verified.failures
    assert {row.graph for row in manifest.verified.graphs} == {"image", "audio", "text", "fusion", "end to end"}
    assert len(manifest.verified.accuracy) == 7


def test_every_file_is_listed_and_none_is_a_pickle(fp32_bundle: Path) -> None:
    found = {path.name for path in fp32_bundle.rglob("*")}
    assert found == {*Bundle.open(fp32_bundle).manifest.files, "manifest.json"}
    assert {Path(name).suffix for name in found} == {".onnx", ".json", ".npz", ".html"}
    with np.load(fp32_bundle / "golden.npz", allow_pickle=False) as golden:
        assert all(golden[name].dtype != object for name in golden)
    for path in fp32_bundle.glob("*.onnx"):
        model = onnx.load(path, load_external_data=False)
        assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_the_graphs_are_valid_and_carry_their_origin_but_no_path_of_this_machine(fp32_bundle: Path) -> None:
    manifest = Bundle.open(fp32_bundle).manifest
    for name, graph in manifest.graphs.items():
        model = onnx.load(fp32_bundle / graph.file)
        onnx.checker.check_model(model, full_check=True)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        assert properties["graph"] == name
        assert properties["checkpoint_sha256"] == manifest.made.checkpoint_sha256
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
        assert os.getcwd().encode() not in model.SerializeToString()


@pytest.mark.slow
def test_an_int8_bundle_holds_int8_graphs_of_less_than_half_the_size(
    spec: FusionSpec, fp32_bundle: Path, tmp_path: Path, traced_before: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "ACCURACY_LOSS", 0.05)  # random weights and 74 examples: one flip is over a point
    stages = []
    target = tmp_path / "int8"
    manifest = export_bundle(spec, target, "int8", progress=lambda *step: stages.append(step))
    for graph in manifest.graphs.values():
        operators = [node.op_type for node in onnx.load(target / graph.file).graph.node]
        assert graph.precision == "int8"
        assert "QuantizeLinear" in operators
    assert Bundle.open(target).size_bytes < 0.5 * Bundle.open(fp32_bundle).size_bytes
    assert manifest.verified is not None
    assert min(row.cosine_p1 or 1 for row in manifest.verified.graphs if row.output == "embedding") > 0.99
    for stage in ("reference", "precision", "verify"):
        done = [(step[1], step[2]) for step in stages if step[0] == stage]
        assert done[0][0] == 0
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1]


@pytest.mark.slow
def test_auto_takes_wider_types_until_the_whole_keeps_its_bounds(
    spec: FusionSpec, tmp_path: Path, traced_before: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        parity, "RANK_AGREEMENT", 0.999999
    )  # which no single graph is measured by, and int8 never keeps
    with pytest.raises(ExportError, match=r"a bound is broken: .*prompts are ranked with an agreement of"):
        export_bundle(spec, tmp_path / "int8", "int8")
    assert list(tmp_path.iterdir()) == []
    manifest = export_bundle(spec, tmp_path / "auto", "auto")
    assert manifest.verified is not None
    assert manifest.verified.failures == ()
    assert "int8" not in {manifest.graphs[name].precision for name in ("image", "audio", "text")}


def test_the_runtime_replays_the_golden_vectors_and_notices_another_graph(bundle_copy: Path) -> None:
    bundle = Bundle.open(bundle_copy)
    replay(bundle, {graph: open_engine(bundle, graph) for graph in bundle.manifest.graphs})
    with pytest.raises(BundleError, match="failed its self-test: graph image"):
        replay(bundle, {"image": Inverted(open_engine(bundle, "image"))})


class Inverted:
    """An engine that is wrong."""

    backend = "inverted"

    def __init__(self, engine: Engine) -> None:
        self._engine, self.inputs, self.outputs = engine, engine.inputs, engine.outputs

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: -array for name, array in self._engine.run(inputs).items()}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "no such file"), (b"PK\x03\x04 a torch pickle", "not a safetensors file")],
)
def test_another_kind_of_file_is_refused(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=reason) as caught:
        spec_from_name(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a Blue  BALL", r"the prompts 'a Blue  BALL' and 'a blue ball' are the same to the network's tokenizer"),
        ("red " * 40, r"would be cut after ' red red red red red': it is 40 tokens long, and the network reads 32"),
        ("日本", "the prompt '日本' holds nothing that the network's tokenizer knows"),
    ],
)
def test_labels_that_no_network_can_tell_apart_are_refused(
    spec: FusionSpec, tmp_path: Path, prompt: str, said: str
) -> None:
    with pytest.raises(PromptError, match=said):
        export_bundle(replace(spec, labels={**spec.labels, "red ball": prompt}), tmp_path / "bundle", "fp32")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_no_numbers_are_refused_by_name(checkpoint_path: Path, tmp_path: Path) -> None:
    path = altered(
        checkpoint_path, tmp_path / "nan.safetensors", lambda state: state["fusion.gain.bias"].fill_(torch.nan)
    )
    with pytest.raises(ExportError, match=r"fusion\.gain\.bias hold NaN"):
        export_bundle(spec_from_name(str(path)), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_broken_bound_fails_the_export_names_the_row_and_keeps_the_former_bundle(
    checkpoint_path: Path, bundle_copy: Path, traced_before: None, tmp_path: Path
) -> None:
    before = (bundle_copy / "manifest.json").read_bytes()

    def spoil(state: dict[str, torch.Tensor]) -> None:
        state["encoders.audio.embedding.weight"] += 0.05 * torch.randn(state["encoders.audio.embedding.weight"].shape)

    other = altered(checkpoint_path, tmp_path / "other.safetensors", spoil)
    with pytest.raises(ExportError, match=r"bound is broken: audio, embedding \(fp32\): cosine similarity .* below"):
        export_bundle(spec_from_name(str(other)), bundle_copy, "fp32")
    assert (bundle_copy / "manifest.json").read_bytes() == before
    assert [path.name for path in bundle_copy.parent.iterdir()] == ["bundle"]


def test_a_full_disk_is_one_line_and_keeps_the_former_bundle(
    spec: FusionSpec, bundle_copy: Path, traced_before: None
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(ExportError, match=r"cannot export to .*File too large"):
            export_bundle(spec, bundle_copy, "fp32")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    Bundle.open(bundle_copy)
    assert [path.name for path in bundle_copy.parent.iterdir()] == ["bundle"]


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "left_beside"), [(signal.SIGINT, []), (signal.SIGKILL, [".bundle.making"])])
def test_an_export_stopped_in_the_middle_leaves_no_bundle(
    sent: signal.Signals, left_beside: list[str], checkpoint_path: Path, fp32_bundle: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bundle"
    command = [sys.executable, "-c", SLOW_EXPORT, str(checkpoint_path), str(target), str(fp32_bundle)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "verify\n"
    assert (tmp_path / ".bundle.making" / "fusion.onnx").is_file()
    process.send_signal(sent)
    assert process.wait(timeout=30) != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == left_beside
