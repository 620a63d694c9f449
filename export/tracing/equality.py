"""A traced graph against PyTorch, right after tracing: one sample alone, a batch, and a frame of another size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
import onnxruntime

from edgefuse.export.errors import ExportError
from edgefuse.export.parity import graph_checks
from edgefuse.export.tracing.graphs import GraphSource
from edgefuse.export.tracing.onnx_export import quiet


def check_equal(model: onnx.ModelProto, source: GraphSource) -> None:
    """Raises ExportError where the graph fails, or gives other shapes or values than the module it was traced from."""
    with quiet():
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    taken = [value.name for value in session.get_inputs()]
    for batch, inputs in _batches(source):
        expected = source.run(inputs)
        try:
            values = session.run(list(expected), {name: inputs[name] for name in taken})
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            line = str(error).strip().splitlines()[0]
            raise ExportError(f"graph {source.name}, traced to ONNX, fails on {batch}: {line}") from error
        wrong = _difference(source.name, expected, dict(zip(expected, values, strict=True)))
        if wrong:
            raise ExportError(f"graph {source.name}, traced to ONNX, is not what it is in PyTorch on {batch}: {wrong}")


def _batches(source: GraphSource) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    count = len(source.feed)
    yield "a batch of 1", source.feed.rows(slice(0, 1))
    yield f"a batch of {count}", source.feed.rows(slice(0, count))
    if source.takes_any_frame:
        arguments = {name: tensor.numpy() for name, tensor in zip(source.inputs, source.arguments, strict=True)}
        yield "frames of another size", arguments


def _difference(graph: str, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> str | None:
    for name, array in expected.items():
        if found[name].shape != array.shape:
            return f"{name} has the shape {list(found[name].shape)}, expected {list(array.shape)}"
    return next((row.failure for row in graph_checks(graph, "fp32", expected, found) if row.failure), None)
