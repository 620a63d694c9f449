"""A traced graph as one ONNX model: pinned opset, checked, shapes inferred, and saying where it came from."""

from __future__ import annotations

import ast
import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
import torch
from torch.export import Dim, ExportedProgram
from torch.onnx import ONNXProgram

from edgefuse.export.errors import ExportError
from edgefuse.export.tracing.graphs import GraphSource
from edgefuse.export.tracing.modules import FusionGraph
from edgefuse.export.tracing.obstacle import conversion_obstacle, tracing_obstacle
from edgefuse.runtime.bundle.manifest import Dtype, TensorSpec

OPSET = 20
"""The newest that TensorRT's parsers take in full."""

IR_VERSION = 10
"""The one of that opset."""

MODULE = "module"
"""Node metadata: the path of the PyTorch module that a node came from, such as `encoder.stages.1`."""

_DTYPES: dict[int, Dtype] = {
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.FLOAT: "float32",
}


def onnx_from_source(source: GraphSource) -> onnx.ModelProto:
    """Trace one graph; raises ExportError that names the graph, what does not export, and the module that it is in.

    The exporter's own optimizer has folded constants and batch norms (a simplifier after it, onnxslim, found nothing
    more to remove from encoders and 3 % of the fusion's nodes, at no gain in speed). Inputs that nothing reads are
    taken out.
    """
    program = trace_program(source)
    try:
        with quiet(), torch.no_grad():
            exported = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=source.inputs,
                output_names=source.outputs,
                dynamic_shapes=source.sizes,
                verbose=False,
            )
    except Exception as error:  # converters of operators raise what they like
        with quiet():
            obstacle = conversion_obstacle(error, program)
        raise ExportError(f"graph {source.name} does not export to ONNX: {obstacle}") from error
    if exported is None:
        raise ExportError(f"graph {source.name}: the exporter gave no model")
    _rename_inner_values(exported, source.outputs)
    model = exported.model_proto
    model.graph.name = source.name
    model.ir_version = IR_VERSION
    _keep_module_paths_only(model)
    _take_out_unread(model)
    return model


def trace_program(source: GraphSource) -> ExportedProgram:
    """The graph of PyTorch's operators; ExportError where the module's Python cannot be followed."""
    sizes = tuple(dict.fromkeys(one, Dim.DYNAMIC) for one in source.sizes)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(
                source.module,
                source.arguments,
                dynamic_shapes=(sizes,) if isinstance(source.module, FusionGraph) else sizes,  # its forward is variadic
                strict=False,
            )
    except Exception as error:  # besides its own errors, whatever the module raises under tracing
        raise ExportError(f"graph {source.name} does not export to ONNX: {tracing_obstacle(error, source)}") from error


def save_checked(model: onnx.ModelProto, path: Path, metadata: Mapping[str, str]) -> None:
    """Infer shapes, add `metadata`, check in full, and write `path` as a single file."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    onnx.helper.set_model_props(inferred, dict(metadata))
    try:
        onnx.checker.check_model(inferred, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(
            f"graph {model.graph.name} is not valid ONNX: {str(error).strip().splitlines()[0]}"
        ) from error
    onnx.save(inferred, path)


def tensor_specs(values: list[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """What the manifest says of a graph's inputs or outputs."""
    return tuple(
        TensorSpec(
            name=value.name,
            dtype=_DTYPES[value.type.tensor_type.elem_type],
            shape=tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim),
        )
        for value in values
    )


def module_of(node: onnx.NodeProto) -> str:
    """The path of the PyTorch module that a node came from; empty where the exporter did not say."""
    return next((entry.value for entry in node.metadata_props if entry.key == MODULE), "")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporter's and the quantizer's chatter kept from the terminal; their errors still raise."""
    formerly = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(formerly)


def _take_out_unread(model: onnx.ModelProto) -> None:
    read = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    kept = [value for value in model.graph.input if value.name in read]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _rename_inner_values(exported: ONNXProgram, outputs: tuple[str, ...]) -> None:
    """The exporter lets an inner value keep a name that an output was given (an nn.Embedding's is `embedding`)."""
    graph = exported.model.graph
    inner = [value for node in graph for value in node.outputs if not value.is_graph_output()]
    for value in (*inner, *graph.initializers.values()):
        if value.name in outputs:
            value.name = f"{value.name}_inner"


def _keep_module_paths_only(model: onnx.ModelProto) -> None:
    """The exporter notes stack traces with this machine's paths on every node: keep only the module."""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    for node in model.graph.node:
        scopes = [entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.doc_string = ""
        *modules, _operator = ast.literal_eval(scopes[0]) if scopes else [""]
        if modules:
            node.metadata_props.add(key=MODULE, value=modules[-1])
