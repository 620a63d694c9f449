"""What TensorRT's parser wants said otherwise in a graph, and computes the same."""

from __future__ import annotations

import onnx
from onnx import TensorProto

MOVES = frozenset({"Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators that move their first input's values and change none: before or after a cast, they give the same."""

ENDS = frozenset({"Cast", "Shape", "Size"})
"""Operators that give the same of a number whether it is a byte or a float."""


def bytes_cast_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which inputs of bytes turn float32 at once: TensorRT takes uint8 for nothing but a cast.

    What only moved the bytes until they were cast now moves the floats (the compiler fuses them into one kernel). An
    input that anything else is computed of stays as it is, and so does a graph with control flow.
    """
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    graph = rewritten.graph
    for value in graph.input:
        moved = _moved(graph, value.name)
        if value.type.tensor_type.elem_type == TensorProto.UINT8 and moved is not None:
            _cast(graph, value.name, moved)
    return rewritten


def _moved(graph: onnx.GraphProto, name: str) -> set[str] | None:
    """The tensors that hold the values of `name` and end in casts alone; None if they end elsewhere too."""
    moved = {name}
    ends = {value.name for value in graph.output}
    for node in graph.node:
        if any(attribute.HasField("g") for attribute in node.attribute):
            return None
        if moved.isdisjoint(node.input):
            continue
        if node.op_type in MOVES and moved.isdisjoint(node.input[1:]):
            moved.update(node.output)
        elif node.op_type not in ENDS:
            return None
    return None if moved & ends else moved


def _cast(graph: onnx.GraphProto, name: str, moved: set[str]) -> None:
    floats = f"{name}_float32"
    for node in graph.node:
        node.input[:] = [floats if tensor == name else tensor for tensor in node.input]
    graph.node.insert(0, onnx.helper.make_node("Cast", [name], [floats], name=floats, to=TensorProto.FLOAT))
    kept = [value for value in graph.value_info if value.name not in moved]
    del graph.value_info[:]
    graph.value_info.extend(kept)
