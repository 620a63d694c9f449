"""A float graph to a float16 one: weights and arithmetic in float16, inputs and outputs as they were.

An operator stays in float32
- inside the fixed arithmetic: the power of a spectrum overflows float16;
- if it normalises or sums (LayerNormalization, Softmax, ReduceSum, ...): float16 sums overflow and lose what is small,
  which is how fp16 engines ruin transformers. ONNX Runtime on the CPU computes these in float32 whatever the graph
  says, so that no measurement here would show what a GPU makes of them;
- if a value that goes in or out comes near float16's largest, on real samples;
- if a constant of its own would become zero, subnormal or infinite (an epsilon, a mask), or if it reads what such an
  operator made (the division by a sum that an epsilon keeps from being zero).
The converters that exist do not serve: onnxconverter-common's breaks graphs that hold Cast, and
onnxruntime.transformers.float16 takes every tensor through float16 between two operators that it leaves in float32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from edgefuse.calibration.quantization import check_samples
from edgefuse.calibration.ranges import measure_peaks
from edgefuse.export.feeds import Feed
from edgefuse.export.precision.quantize import is_within
from edgefuse.export.tracing.onnx_export import tensor_specs

LIMITS = np.finfo(np.float16)
LARGEST = float(LIMITS.max) / 4
"""A tensor that was seen to exceed this stays in float32: other samples may reach four times as far."""

NORMALIZATIONS = {
    f"{kind}Normalization" for kind in ("Batch", "Group", "Instance", "Layer", "Lp", "MeanVariance", "RMS")
}
REDUCTIONS = {f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp", "Mean", "Prod", "Sum", "SumSquare")}
FUNCTIONS = {"CumSum", "Exp", "Log", "LogSoftmax", "Pow", "Range", "Reciprocal", "Resize", "Softmax", "Sqrt"}
FLOAT_OPERATORS = frozenset(NORMALIZATIONS | REDUCTIONS | FUNCTIONS | {"DFT", "STFT"})
RESHAPING = frozenset(
    {"Concat", "Expand", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)


def peaks_of(model: onnx.ModelProto, feed: Feed) -> dict[str, float]:
    """The largest magnitude that each float32 tensor of `model` reaches on the samples of `feed`, weights excepted."""
    check_samples(tensor_specs(list(model.graph.input)), {**feed.arrays, **feed.constant})
    weights = {tensor.name for tensor in model.graph.initializer}
    tensors = [name for name in _float_tensors(model) if name not in weights]
    return measure_peaks(model, tensors, feed.arrays, feed.constant)


def has_control_flow(model: onnx.ModelProto) -> bool:
    """Whether a graph has branches or loops, which are not looked into: it is not turned to float16."""
    return any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute)


def half_from_float(model: onnx.ModelProto, peaks: Mapping[str, float], fixed: Collection[str]) -> onnx.ModelProto:
    """The float16 graph; `model`, which has no control flow, is left as it is."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    _constants_to_initializers(half.graph)
    _Conversion(half, frozenset(float_nodes(half, peaks, fixed))).convert()
    del half.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(half, strict_mode=True, data_prop=True)


def float_nodes(model: onnx.ModelProto, peaks: Mapping[str, float], fixed: Collection[str]) -> list[str]:
    """The names of the nodes that stay in float32, chosen as the top of this file says."""
    large = {name for name, peak in peaks.items() if not peak <= LARGEST}
    fragile = _fragile_nodes(model)
    return [
        node.name
        for node in model.graph.node
        if node.op_type in FLOAT_OPERATORS
        or node.name in fragile
        or is_within(node, fixed)
        or not large.isdisjoint((*node.input, *node.output))
    ]


def _fragile_nodes(model: onnx.ModelProto) -> set[str]:
    """Those with a constant that float16 does not hold, and what reads their results, also in another shape."""
    lost = {tensor.name for tensor in model.graph.initializer if _is_lost(tensor)}
    results: set[str] = set()
    fragile: set[str] = set()
    for node in model.graph.node:
        has_constant = not lost.isdisjoint(node.input)
        if has_constant or not results.isdisjoint(node.input):
            fragile.add(node.name)
        if has_constant or (node.name in fragile and node.op_type in RESHAPING):
            results.update(node.output)
    return fragile


def _is_lost(tensor: TensorProto) -> bool:
    """Whether float16 makes a constant zero, subnormal or infinite; a few tiny weights among many are no loss."""
    if tensor.data_type != TensorProto.FLOAT:
        return False
    finite = np.abs(numpy_helper.to_array(tensor))
    largest = finite[np.isfinite(finite)].max(initial=0.0)
    return bool(largest > LIMITS.max or 0 < largest < LIMITS.smallest_normal)


def _float_tensors(model: onnx.ModelProto) -> list[str]:
    """Every float32 tensor of the graph, in its order."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*inferred.input, *inferred.value_info)}
    types |= {value.name: value.type.tensor_type.elem_type for value in inferred.output}
    types |= {tensor.name: tensor.data_type for tensor in inferred.initializer}
    return [name for name, kind in types.items() if kind == TensorProto.FLOAT]


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        values = onnx.helper.get_node_attr_value(node, node.attribute[0].name)
        tensor = values if isinstance(values, TensorProto) else numpy_helper.from_array(_typed(values))
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


def _typed(values: float | list[float]) -> np.ndarray:
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float64 else array


class _Conversion:
    """One graph on its way to float16, in place: which type each float tensor has by now, and which casts are there."""

    def __init__(self, model: onnx.ModelProto, kept: frozenset[str]) -> None:
        self._graph = model.graph
        self._kept = kept
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._types: dict[str, int] = dict.fromkeys(_float_tensors(model), TensorProto.FLOAT)
        self._cast: dict[tuple[str, int], str] = {}
        self._nodes: list[onnx.NodeProto] = []

    def convert(self) -> None:
        for node in self._graph.node:
            wanted = TensorProto.FLOAT if node.name in self._kept else TensorProto.FLOAT16
            for index, name in enumerate(node.input):
                if name in self._types:
                    node.input[index] = self._as(name, wanted)
            self._retype(node, wanted)
            self._nodes.append(node)
        self._restore_outputs()
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        self._drop_unused_weights()

    def _as(self, name: str, wanted: int) -> str:
        """The name under which a tensor is to be had in a type: itself, a copy of a weight, or behind a cast."""
        if self._types[name] == wanted:
            return name
        if (name, wanted) not in self._cast:
            other = f"{name}/{'half' if wanted == TensorProto.FLOAT16 else 'float'}"
            self._cast[name, wanted] = other
            if name in self._weights:
                values = numpy_helper.to_array(self._weights[name]).astype(np.float16)
                self._graph.initializer.append(numpy_helper.from_array(values, other))
            else:
                self._nodes.append(onnx.helper.make_node("Cast", [name], [other], name=other, to=wanted))
        return self._cast[name, wanted]

    def _retype(self, node: onnx.NodeProto, wanted: int) -> None:
        """Give a node's float outputs their new type, also where an attribute says it."""
        for name in node.output:
            if name in self._types:
                self._types[name] = wanted
        for attribute in node.attribute:
            if wanted == TensorProto.FLOAT16 and node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            elif wanted == TensorProto.FLOAT16 and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float16)))

    def _restore_outputs(self) -> None:
        """The graph's outputs stay float32: each that is not is renamed and cast."""
        for value in self._graph.output:
            if self._types.get(value.name) == TensorProto.FLOAT16:
                inner = f"{value.name}/inner"
                for node in self._nodes:
                    node.input[:] = [inner if name == value.name else name for name in node.input]
                    node.output[:] = [inner if name == value.name else name for name in node.output]
                cast = onnx.helper.make_node("Cast", [inner], [value.name], name=f"{value.name}/outer", to=1)
                self._nodes.append(cast)

    def _drop_unused_weights(self) -> None:
        used = {name for node in self._graph.node for name in node.input}
        for tensor in [tensor for tensor in self._graph.initializer if tensor.name not in used]:
            self._graph.initializer.remove(tensor)
