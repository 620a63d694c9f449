"""OpenVINO gives what ONNX Runtime gives, in bfloat16 only where golden vectors prove it, or says why not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_networks import FUSION_OF_TWO, WHOLE, add_golden, golden_vectors, image, imu, write_bundle

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError, EngineError, Perceiver
from edgefuse.runtime.bundle.manifest import GraphSpec, TensorSpec
from edgefuse.runtime.engines import engine_openvino
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine_openvino import OpenVinoEngine, fast_in_bf16, open_on_openvino
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, OpenVinoWay, write_plan
from edgefuse.runtime.engines.selftest import cosine_similarities

pytest.importorskip("openvino")
BUNDLE = Bundle.open(DEFAULT_BUNDLE)
IN_FLOAT32 = OpenVinoWay(arithmetic="f32")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    engine_openvino._core.cache_clear()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Small, and without golden vectors."""
    return write_bundle(tmp_path / "bundle", [image(), imu()], FUSION_OF_TWO.format("image", "imu"))


def opened(graph: str, path: Path | None = None, spec: GraphSpec | None = None) -> OpenVinoEngine:
    own = BUNDLE.manifest.graphs[graph]
    sha256 = BUNDLE.manifest.files[own.file].sha256
    return open_on_openvino(path or DEFAULT_BUNDLE / own.file, spec or own, sha256, IN_FLOAT32)


def golden_inputs(graph: str) -> dict[str, np.ndarray]:
    with np.load(DEFAULT_BUNDLE / "golden.npz") as file:
        return {tensor.name: file[f"{graph}/inputs/{tensor.name}"] for tensor in BUNDLE.manifest.graphs[graph].inputs}


@pytest.mark.parametrize("graph", ["image", "audio", "text", "fusion"])
def test_it_gives_what_onnxruntime_gives_also_of_several_samples(graph):
    inputs = golden_inputs(graph)
    expected, found = open_engine(BUNDLE, graph, "cpu").run(inputs), opened(graph).run(inputs)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype
        if array.ndim > 1:
            assert cosine_similarities(array, found[name]).min() > 0.999
        else:
            assert found[name] == pytest.approx(array, abs=0.02)


def test_frames_of_any_size_and_outputs_that_are_the_callers():
    engine, expected = opened("image"), open_engine(BUNDLE, "image", "cpu")
    frames = [np.random.default_rng(rows).integers(0, 256, (1, rows, 128, 3), np.uint8) for rows in (96, 120, 96)]
    frames[2].flags.writeable = False
    found = [engine.run({"frame": frame})["embedding"] for frame in frames]
    for frame, embedding in zip(frames, found, strict=True):
        assert cosine_similarities(expected.run({"frame": frame})["embedding"], embedding).min() > 0.999
        embedding[:] = 0


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "takes ids, got nothing"),
        ({"ids": np.ones((1, 32), np.int64), "more": np.ones(1)}, "takes ids, got ids, more"),
        ({"ids": np.ones((1, 32), np.float32)}, "ids should be int64 ['batch', 32], is float32 [1, 32]"),
        ({"ids": np.ones((1, 31), np.int64)}, "ids should be int64 ['batch', 32], is int64 [1, 31]"),
        ({"ids": np.ones((2, 31), np.int64)}, "ids should be int64 ['batch', 32], is int64 [2, 31]"),
        ({"ids": np.ones((0, 32), np.int64)}, "different numbers of samples, or none"),
    ],
)
def test_inputs_that_do_not_fit_are_told_in_one_line(inputs, said):
    with pytest.raises(EngineError) as told:
        opened("text").run(inputs)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_the_default_bundle_passes_its_self_test_and_bf16_has_to_earn_it():
    perceiver = Perceiver.open(DEFAULT_BUNDLE, prompts=["a red ball"], backend="openvino")
    assert perceiver.backends["text"] == "openvino-cpu"  # whose tokens bfloat16 spoils
    assert perceiver.backends["image"] == ("openvino-cpu-bf16" if fast_in_bf16() else "openvino-cpu")


def test_bf16_needs_golden_vectors(bundle):
    assert open_engine(Bundle.open(bundle), "imu", "openvino").backend == "openvino-cpu"
    add_golden(bundle, golden_vectors(bundle))
    expected = "openvino-cpu-bf16" if fast_in_bf16() else "openvino-cpu"
    assert open_engine(Bundle.open(bundle), "imu", "openvino").backend == expected


def test_a_bundle_that_fails_its_golden_vectors_does_not_start(bundle):
    vectors = golden_vectors(bundle)
    vectors["imu/outputs/embedding"][1] *= -1
    add_golden(bundle, vectors)
    with pytest.raises(BundleError, match=r"failed its self-test: graph imu, output embedding on openvino-cpu: "):
        Perceiver.open(bundle, backend="openvino")


def test_a_network_in_one_piece(tmp_path):
    bundle = write_bundle(tmp_path / "whole", [image(graph=False), imu(graph=False)], WHOLE)
    perceiver = Perceiver.open(add_golden(bundle, golden_vectors(bundle)), backend="openvino")
    assert perceiver.backends["fusion"].startswith("openvino-cpu")


def test_what_is_planned_runs_where_the_backend_is_left_to_the_machine(caplog):
    text = BUNDLE.manifest.files[BUNDLE.manifest.graphs["text"].file].sha256
    assert open_engine(BUNDLE, "text").backend == "onnxruntime-cpu"
    write_plan({text: IN_FLOAT32})
    assert open_engine(BUNDLE, "text").backend == "openvino-cpu"
    assert open_engine(BUNDLE, "text", "cpu").backend == "onnxruntime-cpu"
    write_plan({text: OnnxRuntimeWay()})
    assert open_engine(BUNDLE, "text").backend == "onnxruntime-cpu"
    assert open_engine(BUNDLE, "text", "openvino").backend == "openvino-cpu"
    assert not caplog.records


@pytest.mark.usefixtures("without_openvino")
def test_without_the_package_one_line_says_what_to_install(caplog):
    with pytest.raises(EngineError, match=r"graph text: OpenVINO is not installed: pip install '\.\[openvino\]' in "):
        open_engine(BUNDLE, "text", "openvino")
    write_plan({BUNDLE.manifest.files[BUNDLE.manifest.graphs["text"].file].sha256: IN_FLOAT32})
    assert open_engine(BUNDLE, "text").backend == "onnxruntime-cpu"
    (said,) = [record.getMessage() for record in caplog.records]
    assert "text.onnx does not run on openvino: OpenVINO is not installed" in said


def test_a_graph_that_openvino_cannot_run(tmp_path):
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Strange", ["x"], ["y"], domain="my")], "g", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("my", 1)]), tmp_path / "strange.onnx")
    x, y = (TensorSpec(name=name, dtype="float32", shape=("batch", 3)) for name in ("x", "y"))
    spec = GraphSpec(file="strange.onnx", precision="fp32", inputs=(x,), outputs=(y,))
    with pytest.raises(EngineError, match=r"strange\.onnx: OpenVINO cannot run this graph: .*my\.Strange"):
        open_on_openvino(tmp_path / "strange.onnx", spec, "0" * 64, IN_FLOAT32)


def test_a_graph_that_is_not_what_the_manifest_says():
    spec = BUNDLE.manifest.graphs["text"]
    with pytest.raises(BundleError, match=r"text\.onnx: the manifest's inputs are pixels uint8"):
        opened("text", spec=spec.model_copy(update={"inputs": (TensorSpec(name="pixels", dtype="uint8", shape=(1,)),)}))


@pytest.mark.parametrize("damage", [None, lambda content: bytes(len(content)), lambda content: content[:-99]])
def test_the_second_time_it_comes_from_the_cache_if_that_is_whole(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    graph = tmp_path / "text.onnx"
    graph.write_bytes((DEFAULT_BUNDLE / "text.onnx").read_bytes())
    inputs = {"ids": np.ones((1, 32), np.int64)}
    expected = opened("text", graph).run(inputs)["tokens"]
    (blob,) = tmp_path.glob("cache/edgefuse/graphs/*/graph.blob")
    if damage is None:
        graph.unlink()
    else:
        blob.write_bytes(damage(blob.read_bytes()))
    assert np.array_equal(opened("text", graph).run(inputs)["tokens"], expected)
