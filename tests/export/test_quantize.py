"""Int8 where it pays and nowhere else, at an error that is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgefuse.calibration.quantization import CalibrationError
from edgefuse.export.errors import ExportError
from edgefuse.export.onnx_export import module_of
from edgefuse.export.parity import cosine_similarities
from edgefuse.export.quantize import int8_from_float, quantized_nodes


def pcm(count: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(count).standard_normal((count, 25_600))).astype(np.float32)


@pytest.fixture(scope="module")
def audio(fp32_bundle: Path) -> onnx.ModelProto:
    return onnx.load(fp32_bundle / "audio.onnx")


def embeddings(model: onnx.ModelProto, samples: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["embedding"], {"pcm": samples})[0]


def test_the_int8_graph_is_smaller_close_and_leaves_the_front_end_alone(audio: onnx.ModelProto) -> None:
    before = audio.SerializeToString()
    quantized = int8_from_float(audio, {"pcm": pcm(40)})
    assert audio.SerializeToString() == before
    assert len(quantized.SerializeToString()) < 0.5 * len(before)

    made_by = {output: node for node in quantized.graph.node for output in node.output}
    int8_inputs = {
        node.name: [name in made_by and made_by[name].op_type == "DequantizeLinear" for name in node.input]
        for node in quantized.graph.node
    }
    front_end = [node for node in audio.graph.node if "features" in module_of(node).split(".")]
    assert {"Conv", "MatMul", "Log"} <= {node.op_type for node in front_end}
    assert not any(any(int8_inputs[node.name]) for node in front_end)
    stages = [node for node in audio.graph.node if "stages.3" in module_of(node) and node.op_type == "Conv"]
    assert stages
    assert all(all(int8_inputs[node.name]) for node in stages)

    fresh = pcm(16)
    assert cosine_similarities(embeddings(audio, fresh), embeddings(quantized, fresh)).min() > 0.99


def test_stems_and_products_of_activations_stay_float(audio: onnx.ModelProto) -> None:
    chosen = set(quantized_nodes(audio))
    weights = {tensor.name: tensor.dims for tensor in audio.graph.initializer}
    stem = next(node for node in audio.graph.node if "stages.0" in module_of(node) and node.op_type == "Conv")
    attention = [node for node in audio.graph.node if node.op_type == "MatMul" and node.input[1] not in weights]
    assert attention
    assert not chosen & {stem.name, *(node.name for node in attention)}


def test_bad_calibration_samples_are_refused(audio: onnx.ModelProto) -> None:
    with pytest.raises(CalibrationError, match="empty"):
        int8_from_float(audio, {"pcm": pcm(0)})
    with pytest.raises(CalibrationError, match="expected float32"):
        int8_from_float(audio, {"pcm": pcm(4)[:, :16_000]})


def test_a_graph_without_anything_to_quantize_is_refused() -> None:
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 4]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"], name="relu")], "touch", [x], [y])
    with pytest.raises(ExportError, match="touch has nothing to quantize"):
        int8_from_float(onnx.helper.make_model(graph), {"x": np.zeros((2, 4), np.float32)})
