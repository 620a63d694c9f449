"""Large embedding tables in int8: looked up as they are, and only the rows that were found turned to float."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

LARGE = 250_000
"""From so many values on a table counts (1 MB in float32): below, three more operators cost more than is saved."""


def tables_to_int8(model: onnx.ModelProto) -> None:
    """In place: every large table that is only looked up by row gets int8 rows, each with its own scale, symmetric.

    (The quantizer's own way, a DequantizeLinear before the lookup, turns the whole table to float at every call.)
    """
    tables = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is not None and _fits(model, table, node):
            _replace(model, table, node)


def _fits(model: onnx.ModelProto, table: onnx.TensorProto, lookup: onnx.NodeProto) -> bool:
    by_row = all(attribute.i == 0 for attribute in lookup.attribute if attribute.name == "axis")
    users = sum(table.name in node.input for node in model.graph.node)
    is_float = table.data_type == onnx.TensorProto.FLOAT
    return is_float and len(table.dims) == 2 and int(np.prod(table.dims)) >= LARGE and by_row and users == 1


def _replace(model: onnx.ModelProto, table: onnx.TensorProto, lookup: onnx.NodeProto) -> None:
    values = numpy_helper.to_array(table)
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    rows = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
    name, found = table.name, lookup.output[0]
    model.graph.initializer.remove(table)
    model.graph.initializer.extend(
        [numpy_helper.from_array(rows, f"{name}_int8"), numpy_helper.from_array(scales, f"{name}_scales")]
    )
    steps: list[tuple[str, list[str], str, dict[str, int]]] = [
        ("Gather", [f"{name}_int8", lookup.input[1]], f"{found}_int8", {"axis": 0}),
        ("Gather", [f"{name}_scales", lookup.input[1]], f"{found}_scale", {"axis": 0}),
        ("Cast", [f"{found}_int8"], f"{found}_steps", {"to": onnx.TensorProto.FLOAT}),
        ("Mul", [f"{found}_steps", f"{found}_scale"], found, {}),
    ]
    place = list(model.graph.node).index(lookup)
    model.graph.node.remove(lookup)
    for step, (operator, inputs, output, attributes) in enumerate(steps):
        made = onnx.helper.make_node(operator, inputs, [output], name=f"{lookup.name}/int8/{step}")
        made.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in attributes.items())
        made.metadata_props.extend(lookup.metadata_props)
        model.graph.node.insert(place + step, made)
