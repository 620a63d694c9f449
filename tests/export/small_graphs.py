"""Graphs of a few layers, each with one thing that is hard for int8 or float16."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgefuse.export.feeds import Feed

CHANNELS = 16
OUTLIER = 3000.0


def samples(seed: int, count: int = 48) -> Feed:
    """What image_graph takes."""
    values = np.random.default_rng(seed).standard_normal((count, CHANNELS, 6, 6))
    return Feed({"x": values.astype(np.float32)})


def image_graph(convolutions: int, outlier_between: int | None = None) -> onnx.ModelProto:
    """`convolutions` with a ReLU each, then their mean, of length 1: x (batch, 16, 6, 6) -> embedding (batch, 16).

    What `outlier_between` n and n + 1 goes through a channel that is OUTLIER times as large as the others, and just as
    important: int8 that holds it rounds the others to nothing. 0 is the graph's input itself.
    """
    random = np.random.default_rng(7)
    nodes, weights, last = [], [], "x"
    scales = np.ones(CHANNELS, np.float32)
    if outlier_between == 0:
        scales[0] = OUTLIER
        weights.append(numpy_helper.from_array(scales.reshape(1, -1, 1, 1), "scales"))
        nodes.append(helper.make_node("Mul", ["x", "scales"], ["scaled"], name="scale"))
        last = "scaled"
    for layer in range(1, convolutions + 1):
        kernel = random.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / 8
        kernel /= scales.reshape(1, -1, 1, 1)
        scales = np.ones(CHANNELS, np.float32)
        if layer == outlier_between:
            scales[0] = OUTLIER
            kernel[0] *= OUTLIER
        weights.append(numpy_helper.from_array(kernel, f"kernel{layer}"))
        nodes.append(
            helper.make_node("Conv", [last, f"kernel{layer}"], [f"c{layer}"], name=f"conv{layer}", pads=[1] * 4)
        )
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"], name=f"relu{layer}"))
        last = f"r{layer}"
    nodes += [
        helper.make_node("ReduceMean", [last, "axes"], ["mean"], name="mean", keepdims=0),
        helper.make_node("ReduceL2", ["mean", "one"], ["norm"], name="norm", keepdims=1),
        helper.make_node("Div", ["mean", "norm"], ["embedding"], name="divide"),
    ]
    axes = [numpy_helper.from_array(np.array(values), name) for name, values in (("axes", [2, 3]), ("one", [1]))]
    shapes = {"x": ["batch", CHANNELS, 6, 6], "embedding": ["batch", CHANNELS]}
    return model("image", nodes, [*weights, *axes], shapes)


def tiny_layers(layers: int = 6) -> onnx.ModelProto:
    """Linear layers of 8 x 8 with a Tanh between: in int8 each needs one more operator and saves no arithmetic."""
    random = np.random.default_rng(3)
    nodes, weights, last = [], [], "x"
    for layer in range(layers):
        weights.append(numpy_helper.from_array(random.standard_normal((8, 8)).astype(np.float32) / 3, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"], name=f"linear{layer}"))
        output = "embedding" if layer == layers - 1 else f"t{layer}"
        nodes.append(helper.make_node("Tanh", [f"m{layer}"], [output], name=f"tanh{layer}"))
        last = output
    return model("text", nodes, weights, {"x": ["batch", 4, 8], "embedding": ["batch", 4, 8]})


def model(
    name: str, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], shapes: dict[str, list[str | int]]
) -> onnx.ModelProto:
    """A checked graph whose first shape is its input's and whose others are its outputs'."""
    first, *others = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    graph = helper.make_graph(nodes, name, [first], others, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made
