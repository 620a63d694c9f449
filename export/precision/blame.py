"""Which layers of an int8 graph are to blame for its error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization.qdq_loss_debug import collect_activations, modify_model_output_intermediate_tensors
from onnxruntime.quantization.quant_utils import DEQUANT_OUTPUT_SUFFIX

from edgefuse.calibration.quantization import ArrayReader
from edgefuse.export.feeds import Feed
from edgefuse.export.tracing.onnx_export import quiet

SAMPLES = 8
"""Few: all tensors of the layers are held at once, twice."""

Layers = Mapping[str, tuple[onnx.NodeProto, ...]]
Activations = Mapping[str, list[np.ndarray]]


def layers_of(model: onnx.ModelProto, nodes: list[str]) -> Layers:
    """The layers that `nodes` are, by the name of the first node: a convolution and the ReLU after it are one."""
    wanted = set(nodes)
    layers: dict[str, tuple[onnx.NodeProto, ...]] = {}
    makers = {output: node.name for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        before = makers.get(node.input[0], "") if node.op_type == "Relu" else ""
        if node.name in wanted and before in layers:
            layers[before] = (*layers[before], node)
        elif node.name in wanted:
            layers[node.name] = (node,)
    return layers


def noise_by_layer(model: onnx.ModelProto, int8: onnx.ModelProto, layers: Layers, feed: Feed) -> dict[str, float]:
    """How much error each layer adds, largest first: {layer: power of the error, over its output's power}.

    Compared are the layers' tensors in the two graphs, on a few samples of `feed`. What a layer adds is the relative
    error of its output, rounded to int8 if it is, less that of its worst input, not yet rounded: independent errors add
    up in power.
    """
    operators = sorted({node.op_type for nodes in layers.values() for node in nodes})
    exact = _activations(model, operators, feed)
    found = _activations(int8, [*operators, "QuantizeLinear", "DequantizeLinear"], feed)

    def noises(name: str) -> list[float]:
        """Of a tensor as it is and as it is after rounding, as far as the int8 graph has both."""
        names = [one for one in (name, name + DEQUANT_OUTPUT_SUFFIX) if name in exact and one in found]
        return [_relative_noise(exact[name], found[one]) for one in names] or [0.0]

    weights = {tensor.name for tensor in model.graph.initializer}
    added = {
        name: noises(nodes[-1].output[0])[-1] - max(min(noises(one)) for one in nodes[0].input if one not in weights)
        for name, nodes in layers.items()
    }
    return dict(sorted(added.items(), key=lambda item: -item[1]))


def with_makers(layers: Layers, blamed: list[str]) -> list[str]:
    """The `blamed` layers and those that make their inputs, which write them as int8."""
    read = {name for layer in blamed for name in layers[layer][0].input}
    return [layer for layer, nodes in layers.items() if layer in blamed or nodes[-1].output[0] in read]


def _activations(model: onnx.ModelProto, operators: list[str], feed: Feed) -> Activations:
    few = ArrayReader({name: array[:SAMPLES] for name, array in feed.arrays.items()}, feed.constant, batch=SAMPLES)
    with TemporaryDirectory(prefix="edgefuse-") as directory, quiet():
        plain, shown = str(Path(directory) / "plain.onnx"), str(Path(directory) / "shown.onnx")
        onnx.save(model, plain)
        modify_model_output_intermediate_tensors(plain, shown, operators)
        activations: Mapping[str, list[np.ndarray]] = collect_activations(shown, iter(few.get_next, None))
        return activations


def _relative_noise(reference: list[np.ndarray], found: list[np.ndarray]) -> float:
    power = sum(float(np.square(array, dtype=np.float64).sum()) for array in reference)
    error = sum(
        float(np.square(left.astype(np.float64) - right).sum()) for left, right in zip(reference, found, strict=True)
    )
    return error / max(power, 1e-30)
