"""Why a module does not export, in one line: the operator or the construct, and the module that it is in."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

from torch import nn
from torch.export import ExportedProgram

from edgefuse.export.tracing.graphs import GraphSource
from edgefuse.export.tracing.trial import origin

_TARGET = re.compile(r"target=torch\.ops\.([\w.]+)\]")
_BAKED = re.compile(r"marked (\S+) as dynamic but your code specialized it to be a constant \((\d+)\)")
_DEPENDENT = ("data-dependent", "data dependent", "GuardOnDataDependentSymNode")


def conversion_obstacle(error: BaseException, program: ExportedProgram) -> str:
    """What torch.onnx could not translate: the operator and the path of its module."""
    causes = list(_causes(error))
    targets = [match.group(1) for cause in causes if (match := _TARGET.search(str(cause)))]
    if not targets:
        return _line(causes[-1])
    missing = any("No ONNX function" in str(cause) for cause in causes)
    why = "has no counterpart in ONNX" if missing else f"cannot be translated: {_line(causes[-1])}"
    module = _module_of_operator(program, targets[-1])
    return f"operator {targets[-1]}" + (f" of module {module}" if module else "") + f" {why}"


def tracing_obstacle(error: BaseException, source: GraphSource) -> str:
    """What torch.export could not follow: a baked size, control flow on values, or whatever the module raised."""
    text = " ".join(f"{type(cause).__name__} {cause}" for cause in _causes(error))
    inside = "".join(f" in module {path}" for path in [_module_of_error(error, source.module)] if path)
    place = f" ({origin(error)})" if origin(error) else ""
    baked = _BAKED.search(text)
    if baked:
        return f"the {_size(source, baked.group(1))} is baked in as {baked.group(2)}; take sizes from the input's shape"
    if any(word in text for word in _DEPENDENT):
        return f"control flow that depends on values{inside}{place}; write it with torch.where or a mask"
    return f"{type(error).__name__}: {_line(error)}{inside}{place}"


def _size(source: GraphSource, marked: str) -> str:
    """The name of a varying size that torch.export calls `L['tensors'][0].size()[1]`, or `L['sample'].size()[1]`."""
    *index, axis = (int(number) for number in re.findall(r"\[(\d+)\]", marked))
    place = index[-1] if index else 0
    return f"{source.sizes[place].get(axis, 'size')} of {source.inputs[place]}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, then what it came from, to the root."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _module_of_operator(program: ExportedProgram, target: str) -> str:
    """The path of the module that the first operator of this name came from, as traced or as torch.onnx splits it."""
    for graph in (program.graph, program.run_decompositions().graph):
        for node in graph.nodes:
            if str(node.target) == target:
                scopes = list((node.meta.get("nn_module_stack") or {}).values())
                return scopes[-1][0] if scopes else ""
    return ""


def _module_of_error(error: BaseException, root: nn.Module) -> str:
    """The path of the module whose method was running: the deepest that the error's frames belong to."""
    paths = {id(module): path for path, module in root.named_modules()}
    owners = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    known = [paths[id(owner)] for owner in owners if id(owner) in paths]
    return known[-1] if known else ""
