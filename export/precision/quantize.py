"""A float graph to an int8 one: static QDQ, per channel, its ranges measured on real samples.

Two schemes, since no int8 graph serves both kinds of machine:
- "onnxruntime": uint8 activations with a zero point, which ONNX Runtime is fast with on x86 (symmetric int8 ones run at
  half of float's speed there), and large embedding tables. Weights keep to 7 bits, at no measurable loss: with 8, a
  processor without VNNI adds two products into 16 bits and saturates silently, so that a bundle would be right on one
  robot and wrong on an older one.
- "tensorrt": what TensorRT's parser takes: activations symmetric about zero, no zero points, biases left in float,
  8-bit weights; only the inputs of layers are quantized.

What is quantized was chosen by measurement on ONNX Runtime x86 (one thread, batch 1):
- convolutions with their ReLU, and linear layers over tokens;
- not linear layers over one vector per sample (embeddings, heads): no gain in speed, and they are what reads fine
  differences (with them in int8 the agreement was off by up to 0.31, without by 0.03);
- not a convolution of few input channels (a stem): in int8 it is slower than in float (0.19 against 0.11 ms);
- not products of two activations (attention): no gain in speed, and a softmax between them would turn int8 as well;
- not the result of a linear layer: it goes on as float, which is faster (text 0.27 against 0.30 ms) and more exact;
- not sums and poolings by themselves: no gain (the runtime fuses a sum between two convolutions anyway);
- not the fixed arithmetic: int8 cannot hold the range of a spectrum (the embedding's cosine falls to 0.94).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

from edgefuse.calibration.quantization import check_samples
from edgefuse.calibration.range_cache import ranges_once
from edgefuse.calibration.ranges import Limits, Ranges
from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.precision.embedding_tables import tables_to_int8
from edgefuse.export.tracing.onnx_export import module_of, quiet, tensor_specs

Scheme = Literal["onnxruntime", "tensorrt"]

FEWEST_INPUT_CHANNELS = 8
"""A convolution with fewer stays in float."""

LINEAR = "MatMul"
"""A linear layer over tokens; one over vectors is a Gemm."""


def ranges_of(model: onnx.ModelProto, feed: Feed, fixed: Collection[str]) -> Ranges:
    """What int8 has to hold in `model`, measured on the samples of `feed`, once for the same ones.

    Raises CalibrationError where they do not fit the graph, ExportError where nothing in it can be quantized.
    """
    check_samples(tensor_specs(list(model.graph.input)), {**feed.arrays, **feed.constant})
    nodes = set(quantized_nodes(model, fixed))
    if not nodes:
        raise ExportError(f"graph {model.graph.name} has nothing to quantize; export it with --precision fp32")
    weights = {tensor.name for tensor in model.graph.initializer}
    touched = [name for node in model.graph.node if node.name in nodes for name in (*node.input, *node.output)]
    tensors = [name for name in dict.fromkeys(touched) if name and name not in weights]
    return ranges_once(model, tensors, feed.arrays, feed.constant)


def int8_from_float(
    model: onnx.ModelProto, limits: Limits, scheme: Scheme, fixed: Collection[str], wider: Collection[str] = ()
) -> onnx.ModelProto:
    """The quantized graph; `model` is left as it is, and so are its nodes in `wider` and those of `fixed`.

    `limits` are the smallest and the largest value of each tensor: `ranges_of(...).by(method)`.
    """
    nodes = [name for name in quantized_nodes(model, fixed) if name not in wider]
    with TemporaryDirectory(prefix="edgefuse-") as directory, quiet():
        path = Path(directory) / "float.onnx"
        onnx.save(model, path)
        quantizer = _quantizer(load_model_with_shape_infer(path), limits, scheme, nodes)
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(path))
        quantized = onnx.load(path)
    if scheme == "onnxruntime":
        tables_to_int8(quantized)
    return quantized


def _quantizer(model: onnx.ModelProto, limits: Limits, scheme: Scheme, nodes: list[str]) -> QDQQuantizer:
    """As quantize_static makes it, but of ranges that are measured already."""
    for_tensorrt = scheme == "tensorrt"
    operators = ["Conv", LINEAR] if for_tensorrt else ["Conv", "Relu", LINEAR]
    return QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=not for_tensorrt,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if for_tensorrt else QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, dict(limits)),
        nodes_to_quantize=nodes,
        nodes_to_exclude=[],
        op_types_to_quantize=operators,
        extra_options={
            "OpTypesToExcludeOutputQuantization": operators if for_tensorrt else [LINEAR],
            "ActivationSymmetric": for_tensorrt,
            "WeightSymmetric": True,
            "QuantizeBias": not for_tensorrt,
        },
    )


def quantized_nodes(model: onnx.ModelProto, fixed: Collection[str]) -> list[str]:
    """The names of the nodes that turn int8, chosen as the top of this file says; none of the modules `fixed`."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    return [node.name for node in model.graph.node if not is_within(node, fixed) and _gains(node, weights, makers)]


def is_within(node: onnx.NodeProto, modules: Collection[str]) -> bool:
    """Whether a node came from a submodule at one of these paths, such as "encoder.features"."""
    path = f".{module_of(node)}."
    return any(f".{module}." in path for module in modules)


def _gains(node: onnx.NodeProto, weights: Mapping[str, tuple[int, ...]], makers: Mapping[str, str]) -> bool:
    match node.op_type:
        case "Conv":
            return weights.get(node.input[1], (0, 0))[1] >= FEWEST_INPUT_CHANNELS
        case "MatMul":
            return node.input[1] in weights
        case "Relu":
            return makers.get(node.input[0]) in ("Conv", "Add")
    return False
