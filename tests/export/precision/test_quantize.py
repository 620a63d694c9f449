"""Int8 where it pays and nowhere else, at an error that is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgefuse.calibration.quantization import CalibrationError
from edgefuse.calibration.ranges import METHODS, Method
from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.precision.embedding_tables import tables_to_int8
from edgefuse.export.precision.quantize import Scheme, int8_from_float, quantized_nodes, ranges_of
from edgefuse.export.tracing.onnx_export import module_of
from edgefuse.runtime.engines.selftest import cosine_similarities

FIXED = ("encoder.features",)


def pcm(count: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(count).standard_normal((count, 25_600))).astype(np.float32)


@pytest.fixture(scope="module")
def audio(fp32_bundle: Path) -> onnx.ModelProto:
    return onnx.load(fp32_bundle / "audio.onnx")


def embeddings(model: onnx.ModelProto, samples: np.ndarray, as_written: bool = False) -> np.ndarray:
    """`as_written`: rounded to int8 and computed in float32, as the graph says; by int8 instructions otherwise."""
    options = onnxruntime.SessionOptions()
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["embedding"], {"pcm": samples})[0]


def int8(model: onnx.ModelProto, scheme: Scheme = "onnxruntime", method: Method = "minmax") -> onnx.ModelProto:
    return int8_from_float(model, ranges_of(model, Feed({"pcm": pcm(40)}), FIXED).by(method), scheme, FIXED)


def inputs_from_int8(model: onnx.ModelProto) -> dict[str, list[bool]]:
    """By node: which of its inputs were int8."""
    dequantized = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {node.name: [name in dequantized for name in node.input] for node in model.graph.node}


@pytest.mark.parametrize("method", METHODS)
def test_the_int8_graph_is_smaller_close_and_leaves_the_front_end_alone(audio: onnx.ModelProto, method: Method) -> None:
    before = audio.SerializeToString()
    quantized = int8(audio, method=method)
    assert audio.SerializeToString() == before
    assert len(quantized.SerializeToString()) < 0.5 * len(before)

    int8_inputs = inputs_from_int8(quantized)
    front_end = [node for node in audio.graph.node if "features" in module_of(node).split(".")]
    assert {"MatMul", "Log"} <= {node.op_type for node in front_end}
    assert not any(any(int8_inputs[node.name]) for node in front_end)
    stages = [node for node in audio.graph.node if "stages.3" in module_of(node) and node.op_type == "Conv"]
    assert stages
    assert all(all(int8_inputs[node.name]) for node in stages)

    fresh = pcm(16)
    assert cosine_similarities(embeddings(audio, fresh), embeddings(quantized, fresh)).min() > 0.99


def test_for_tensorrt_there_are_no_zero_points_and_biases_stay_float(audio: onnx.ModelProto) -> None:
    quantized = int8(audio, "tensorrt")
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    steps = [node for node in quantized.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert steps
    assert all(weights[node.input[2]].dtype == np.int8 for node in steps)
    assert not any(weights[node.input[2]].any() for node in steps)
    assert np.dtype(np.int32) not in {array.dtype for array in weights.values()}, "what a quantized bias would be"
    assert {entry.domain for entry in quantized.opset_import} <= {"", "ai.onnx"}
    fresh = pcm(16)
    found = embeddings(quantized, fresh, as_written=True)  # not every CPU has instructions that hold such products
    assert cosine_similarities(embeddings(audio, fresh), found).min() > 0.99


def test_what_is_to_stay_wider_does(audio: onnx.ModelProto) -> None:
    limits = ranges_of(audio, Feed({"pcm": pcm(40)}), FIXED).by("minmax")
    nodes = quantized_nodes(audio, FIXED)
    some = next(node.name for node in audio.graph.node if node.name in nodes and node.op_type == "Conv")
    inputs = inputs_from_int8(int8_from_float(audio, limits, "onnxruntime", FIXED, [some]))
    assert not inputs[some][1]
    assert sum(any(inputs[name]) for name in nodes if name in inputs) >= 5


def lookup(rows: int) -> tuple[onnx.ModelProto, np.ndarray]:
    """ids (batch, 4) -> embedding (batch, 4, 64), rows of a table that is given too; they differ in size by 100."""
    random = np.random.default_rng(0)
    sizes = random.uniform(0.1, 10, (rows, 1))
    table = (random.standard_normal((rows, 64)) * sizes).astype(np.float32)
    table[7] = 0
    nodes = [onnx.helper.make_node("Gather", ["table", "ids"], ["embedding"], name="embed")]
    ids = onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["batch", 4])
    embedding = onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, ["batch", 4, 64])
    graph = onnx.helper.make_graph(nodes, "text", [ids], [embedding], [onnx.numpy_helper.from_array(table, "table")])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), table


def test_a_large_embedding_table_is_looked_up_in_int8() -> None:
    model, table = lookup(5000)
    size = model.ByteSize()
    tables_to_int8(model)
    onnx.checker.check_model(model, full_check=True)
    assert model.ByteSize() < 0.3 * size
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"ids": np.arange(5000).reshape(-1, 4)})[0].reshape(5000, 64)
    half_a_step = np.abs(table).max(axis=1, keepdims=True) / 127 / 2
    assert (np.abs(found - table) <= 1.001 * half_a_step).all()


def test_a_small_embedding_table_is_left_alone() -> None:
    model, _ = lookup(500)
    before = model.SerializeToString()
    tables_to_int8(model)
    assert model.SerializeToString() == before


def test_stems_and_products_of_activations_stay_float(audio: onnx.ModelProto) -> None:
    chosen = set(quantized_nodes(audio, FIXED))
    weights = {tensor.name: tensor.dims for tensor in audio.graph.initializer}
    stem = next(node for node in audio.graph.node if "stages.0" in module_of(node) and node.op_type == "Conv")
    attention = [node for node in audio.graph.node if node.op_type == "MatMul" and node.input[1] not in weights]
    assert attention
    assert not chosen & {stem.name, *(node.name for node in attention)}


def test_bad_calibration_samples_are_refused(audio: onnx.ModelProto) -> None:
    with pytest.raises(CalibrationError, match="empty"):
        ranges_of(audio, Feed({"pcm": pcm(0)}), FIXED)
    with pytest.raises(CalibrationError, match="expected float32"):
        ranges_of(audio, Feed({"pcm": pcm(4)[:, :16_000]}), FIXED)


def test_a_graph_without_anything_to_quantize_is_refused() -> None:
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 4]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"], name="relu")], "touch", [x], [y])
    with pytest.raises(ExportError, match="touch has nothing to quantize"):
        ranges_of(onnx.helper.make_model(graph), Feed({"x": np.zeros((2, 4), np.float32)}), ())
