"""Networks that are none of ours become bundles that say what they say in PyTorch, and that the runtime runs."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import onnx
import pytest
import torch

from edgefuse.export import parity
from edgefuse.export.exporter import export_bundle
from edgefuse.export.network_function import spec_from_function
from edgefuse.export.tensorrt import EngineRequest
from edgefuse.export.verify import verify_bundle
from edgefuse.runtime import Perceiver
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.samples import Frame, Signal

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "clip_ast.py"


@pytest.fixture(scope="module")
def clip_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("clip") / "bundle"
    export_bundle(spec_from_function(str(EXAMPLE), "clip_ast"), path, "fp32")
    return path


def test_clip_and_an_audio_transformer_equal_pytorch(clip_bundle: Path) -> None:
    verification = verify_bundle(clip_bundle, spec_from_function(str(EXAMPLE), "clip_ast"))
    assert not verification.failures
    assert {row.graph for row in verification.graphs} == {"image", "audio", "text", "fusion", "end to end"}
    assert min(row.cosine_p1 or 1 for row in verification.graphs) > 0.99999
    assert {row.sense for row in verification.alignment} == {"image", "audio", "text", "fusion"}
    assert verification.accuracy == ()


def test_only_what_the_fusion_reads_is_its_input(clip_bundle: Path) -> None:
    manifest = Bundle.open(clip_bundle).manifest
    inputs = [tensor.name for tensor in manifest.fusion.inputs]
    assert inputs == ["image_embedding", "audio_embedding", "text_embedding", "present", "prompts"]
    assert [tensor.name for tensor in manifest.fusion.outputs] == ["scores", "embedding", "weights"]
    assert manifest.dim == 32
    assert manifest.modality("text").graph.outputs[0].shape == ("batch", 1, 32)


def test_senses_of_other_kinds_with_fixed_classes_and_no_prompts(tmp_path: Path) -> None:
    spec = networks.split_spec()
    manifest = export_bundle(spec, tmp_path / "bundle", "fp32")
    assert [tensor.name for tensor in manifest.fusion.inputs] == ["camera_embedding", "imu_tokens"]
    assert (manifest.dim, manifest.tokenizer, manifest.naming) == (None, None, None)
    assert manifest.needed == ("camera", "imu")
    assert manifest.verified is not None
    assert [row.senses for row in manifest.verified.accuracy] == [("camera", "imu")]
    assert manifest.verified.alignment == ()


def test_a_whole_network_is_one_graph_that_takes_every_sense(tmp_path: Path) -> None:
    spec = networks.whole_spec()
    manifest = export_bundle(spec, tmp_path / "bundle", "fp32")
    assert list(manifest.graphs) == ["fusion"]
    assert [tensor.name for tensor in manifest.fusion.inputs] == ["camera", "imu"]
    camera, imu = (spec.holdout.samples[name][:1] for name in ("camera", "imu"))
    with torch.inference_mode():
        expected = spec.fusion(torch.from_numpy(camera), torch.from_numpy(imu))[0]

    perceiver = Perceiver.open(tmp_path / "bundle")
    perceiver.push(Signal(0, imu[0], rate_hz=100, index=0, modality="imu"))
    perceiver.push(Frame(200_000_000, camera[0], modality="camera"))
    percept = perceiver.step()
    assert percept is not None
    np.testing.assert_allclose(list(percept.scores.values()), expected.numpy(), atol=1e-5)


def test_what_a_spec_calls_features_stays_float_in_int8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(parity, "RANK_AGREEMENT", 0.9)  # of four prompts by random weights, which lie close together
    manifest = export_bundle(spec_from_function(str(EXAMPLE), "clip_ast"), tmp_path / "bundle", "int8")
    assert manifest.modality("audio").graph.precision == "int8"
    audio = onnx.load(tmp_path / "bundle" / "audio.onnx")
    makers = {output: node.op_type for node in audio.graph.node for output in node.output}
    quantized = [
        entry.value
        for node in audio.graph.node
        if any(makers.get(name) == "DequantizeLinear" for name in node.input)
        for entry in node.metadata_props
        if entry.key == "module"
    ]
    assert any("ast" in path for path in quantized)
    assert not any("features" in path for path in quantized)


def test_engines_of_every_graph_lie_in_the_bundle_with_their_checksums(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    request = EngineRequest("tensorrt-rtx")
    manifest = export_bundle(networks.whole_spec(), tmp_path / "bundle", "fp16", request)
    assert Bundle.open(tmp_path / "bundle").manifest == manifest
    assert manifest.target == "tensorrt-rtx"
    (engine,) = manifest.fusion.engines
    assert engine.file in manifest.files
    assert engine.graph_sha256 == manifest.files["fusion.onnx"].sha256
    assert engine.profile["camera"][0][0] == 1
