"""Why TensorRT did not take a graph: the operator, the module it came from, and what to do, in one line."""

from __future__ import annotations

import re
from typing import Any

import onnx

from edgefuse.export.errors import ExportError
from edgefuse.export.tracing.onnx_export import module_of

OTHER_INT8 = "its int8 is the kind for ONNX Runtime, so export it again with --target tensorrt or tensorrt-rtx"
ADVICE = (
    (r"zero point", OTHER_INT8),
    (r"has type Int32 but must have type", OTHER_INT8),
    (r"same input types", "cast one of its inputs in the module, so that both have the same type"),
    (r"UInt8", "cast to float32 in the module before anything is computed"),
    (r"Antialiasing", "resize without antialiasing in the module"),
    (r"Turing", "export with --precision fp16, or for compute capability 8.0 and later"),
)
OTHERWISE = "say it with other operators in the module, or export with --target onnx"

_SAYS_NOTHING = ("Invalid Node", "In node ", "catchCudaError", "cudaError", "Plugin not found")
_WRAPPINGS = (
    r"^.*?Error Code \d+: [\w ]*\(",  # who noticed
    r"\.? In \w+ at /\S+\)*$",  # where in TensorRT
    r"^Assertion failed: ",
    r'^.*&& "',
    r"^\[[^]]*\] ",
    r"^[\w./]+(\(\w*\))?: ",  # the node, or the condition
    r"\.? Please .*",
    r'[."]+$',
)


def refusal(graph: str, model: onnx.ModelProto, parser: Any) -> ExportError:
    """What the parser found first, as an error to raise."""
    if not parser.num_errors:
        return ExportError(f"graph {graph}: TensorRT does not take it, and does not say why; {OTHERWISE}")
    error = parser.get_error(0)
    reason = reason_in(error.desc())
    node = f" ({error.node_name()})" if error.node_name() else ""
    return ExportError(
        f"graph {graph}: TensorRT does not take {error.node_operator() or 'it'}{node}"
        f"{_origin(model, error.node_name())}{': ' + reason if reason else ''}; {advice(reason)}"
    )


def reason_in(description: str) -> str:
    """The line of an error that says something, without where in TensorRT it was found; empty if none does."""
    lines = [line.strip() for line in description.splitlines()]
    telling = [line for line in lines if line and not any(nothing in line for nothing in _SAYS_NOTHING)]
    reason = telling[0] if telling else ""
    for wrapping in _WRAPPINGS:
        reason = re.sub(wrapping, "", reason)
    return "" if reason == "false" else reason


def advice(reason: str) -> str:
    """What to do about a reason."""
    return next((what for pattern, what in ADVICE if re.search(pattern, reason)), OTHERWISE)


def _origin(model: onnx.ModelProto, name: str) -> str:
    module = next((module_of(node) for node in model.graph.node if name and node.name == name), "")
    return f" of module {module}" if module else ""
