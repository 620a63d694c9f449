"""A float graph to an int8 one: static QDQ, per channel, its ranges measured on real samples.

What is quantized was chosen by measurement on ONNX Runtime x86 (one thread, batch 1):
- convolutions with their ReLU, and linear layers over tokens;
- not linear layers over one vector per sample (embeddings, heads): no gain in speed, and they are what reads fine
  differences (with them in int8 the agreement was off by up to 0.31, without by 0.03);
- not a convolution of few input channels (a stem): in int8 it is slower than in float (0.19 against 0.11 ms);
- not products of two activations (attention): no gain in speed, and a softmax between them would turn int8 as well;
- not the result of a linear layer: it goes on as float, which is faster (text 0.27 against 0.30 ms) and more exact;
- not sums and poolings by themselves: no gain (the runtime fuses a sum between two convolutions anyway);
- not the front end: int8 cannot hold the range of a spectrum (the embedding's cosine falls to 0.94).
Ranges are the smallest and the largest value seen; percentiles (99.99) gave worse embeddings (cosine at the 1st
percentile: image 0.9935 against 0.9993, text 0.9962 against 0.9999).
Weights keep to 7 bits, at no measurable loss: with 8, a processor without VNNI adds two products into 16 bits and
saturates silently, so that a bundle would be right on one robot and wrong on an older one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

from edgefuse.calibration.quantization import ArrayReader, check_samples
from edgefuse.export.errors import ExportError
from edgefuse.export.graphs import FRONT_END
from edgefuse.export.onnx_export import module_of, quiet, tensor_specs

FEWEST_INPUT_CHANNELS = 8
"""A convolution with fewer stays in float."""

LINEAR = "MatMul"
"""A linear layer over tokens; one over vectors is a Gemm."""


def int8_from_float(
    model: onnx.ModelProto, arrays: Mapping[str, np.ndarray], constant: Mapping[str, np.ndarray] | None = None
) -> onnx.ModelProto:
    """The quantized graph; `model` is left as it is.

    Activations are uint8 with a zero point (what ONNX Runtime is fast with on x86), weights int8 per output channel.
    `arrays` are the inputs (samples, ...), `constant` those given whole with every batch. Raises CalibrationError where
    they do not fit the graph, ExportError where nothing in it can be quantized.
    """
    constant = constant or {}
    check_samples(tensor_specs(list(model.graph.input)), {**arrays, **constant})
    nodes = quantized_nodes(model)
    if not nodes:
        raise ExportError(f"graph {model.graph.name} has nothing to quantize; export it with --precision fp32")
    with tempfile.TemporaryDirectory(prefix="edgefuse-") as directory, quiet():
        path = Path(directory) / "int8.onnx"
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        quantize_static(
            copy,
            path,
            ArrayReader(arrays, constant),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", LINEAR],
            nodes_to_quantize=nodes,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"OpTypesToExcludeOutputQuantization": [LINEAR]},
        )
        return onnx.load(path)


def quantized_nodes(model: onnx.ModelProto) -> list[str]:
    """The names of the nodes that turn int8, chosen as the top of this file says."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    return [
        node.name
        for node in model.graph.node
        if FRONT_END not in module_of(node).split(".") and _gains(node, weights, makers)
    ]


def _gains(node: onnx.NodeProto, weights: Mapping[str, tuple[int, ...]], makers: Mapping[str, str]) -> bool:
    match node.op_type:
        case "Conv":
            return weights.get(node.input[1], (0, 0))[1] >= FEWEST_INPUT_CHANNELS
        case "MatMul":
            return node.input[1] in weights
        case "Relu":
            return makers.get(node.input[0]) in ("Conv", "Add")
    return False
