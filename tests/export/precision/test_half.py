"""Float16 where it can hold what a graph computes, float32 where it cannot, and the same tensors in and out."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import small_graphs
from onnx import TensorProto, helper, numpy_helper

from edgefuse.export.feeds import Feed
from edgefuse.export.precision.half import half_from_float, has_control_flow, peaks_of
from edgefuse.runtime.engines.selftest import cosine_similarities


def outputs(model: onnx.ModelProto, feed: Feed) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(feed.arrays))


def computed_in(model: onnx.ModelProto) -> dict[str, int]:
    """The type of each node's first output."""
    types = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.output)}
    return {node.name: types[node.output[0]] for node in model.graph.node}


def test_weights_and_arithmetic_turn_half_inputs_and_outputs_stay() -> None:
    model, feed = small_graphs.image_graph(3), small_graphs.samples(2)
    before = model.SerializeToString()
    half = half_from_float(model, peaks_of(model, feed), ())
    assert model.SerializeToString() == before
    assert half.ByteSize() < 0.6 * model.ByteSize()
    onnx.checker.check_model(half, full_check=True)
    assert [value.type.tensor_type.elem_type for value in (*half.graph.input, *half.graph.output)] == [1, 1]

    types = computed_in(half)
    assert {types[f"conv{layer}"] for layer in (1, 2, 3)} == {TensorProto.FLOAT16}
    assert types["mean"] == types["norm"] == TensorProto.FLOAT, "sums are float32"
    (expected,), (found,) = outputs(model, feed), outputs(half, feed)
    assert found.dtype == np.float32
    assert cosine_similarities(expected, found).min() > 0.9999
    assert (expected != found).any()


def test_what_overflows_stays_float() -> None:
    model, feed = small_graphs.image_graph(2, outlier_between=1), small_graphs.samples(2)
    large = Feed({"x": 100 * feed.arrays["x"]})
    peaks = peaks_of(model, large)
    assert peaks["c1"] == pytest.approx(abs(shown(model, "c1", large)).max())
    half = half_from_float(model, peaks, ())
    types = computed_in(half)
    assert types["conv1"] == types["conv2"] == TensorProto.FLOAT
    assert types["relu2"] == TensorProto.FLOAT16
    assert cosine_similarities(outputs(model, large)[0], outputs(half, large)[0]).min() > 0.9999


def shown(model: onnx.ModelProto, tensor: str, feed: Feed) -> np.ndarray:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    return outputs(copy, feed)[-1]


def test_an_epsilon_and_a_fixed_module_stay_float() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"], name="double"),
        helper.make_node("Abs", ["doubled"], ["size"], name="size"),
        helper.make_node("Add", ["size", "epsilon"], ["safe"], name="safe"),
        helper.make_node("Reshape", ["safe", "shape"], ["flat"], name="flatten"),
        helper.make_node("Div", ["doubled", "flat"], ["ratio"], name="divide"),
        helper.make_node("Tanh", ["ratio"], ["embedding"], name="squash"),
    ]
    nodes[0].metadata_props.add(key="module", value="encoder.features.gain")
    constants = {"two": 2.0, "epsilon": 1e-12}
    weights = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()]
    weights.append(numpy_helper.from_array(np.array([-1, 4]), "shape"))
    model = small_graphs.model("touch", nodes, weights, {"x": ["batch", 4], "embedding": ["batch", 4]})
    feed = Feed({"x": np.array([[0, 1, -2, 3]] * 2, np.float32)})

    half = half_from_float(model, peaks_of(model, feed), ["encoder.features"])
    types = computed_in(half)
    kept = {name for name, kind in types.items() if kind == TensorProto.FLOAT and "/" not in name}
    assert kept == {"double", "safe", "flatten", "divide"}, "zero is divided by the epsilon, not by zero"
    assert types["size"] == types["squash"] == TensorProto.FLOAT16
    assert np.allclose(outputs(half, feed)[0][0], np.tanh([0, 1, -1, 1]), atol=1e-3)


def test_an_output_that_is_also_read_inside_keeps_its_name_and_type() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["tokens"], name="linear"),
        helper.make_node("Tanh", ["tokens"], ["embedding"], name="squash"),
    ]
    weights = [numpy_helper.from_array(np.eye(4, dtype=np.float32) / 2, "weights")]
    shapes = {"x": ["batch", 4], "tokens": ["batch", 4], "embedding": ["batch", 4]}
    model = small_graphs.model("touch", nodes, weights, shapes)
    feed = Feed({"x": np.ones((3, 4), np.float32)})
    half = half_from_float(model, peaks_of(model, feed), ())
    tokens, embedding = outputs(half, feed)
    assert tokens.tolist() == [[0.5] * 4] * 3
    assert embedding.dtype == np.float32
    assert np.allclose(embedding, np.tanh(0.5), atol=1e-3)


def test_control_flow_is_seen() -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "branch",
        [],
        [helper.make_tensor_value_info("y", 1, ["batch", 4])],
    )
    nodes = [helper.make_node("If", ["sure"], ["embedding"], name="if", then_branch=branch, else_branch=branch)]
    sure = [numpy_helper.from_array(np.array(True), "sure")]
    shapes: dict[str, list[str | int]] = {"x": ["batch", 4], "embedding": ["batch", 4]}
    assert has_control_flow(small_graphs.model("touch", nodes, sure, shapes))
    assert not has_control_flow(small_graphs.image_graph(1))
