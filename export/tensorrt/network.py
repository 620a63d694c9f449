"""A graph as TensorRT understands it: the parsed network and its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.package import Package
from edgefuse.export.tensorrt.refusal import refusal
from edgefuse.export.tensorrt.rewrite import bytes_cast_first
from edgefuse.runtime.bundle.manifest import TensorSpec
from edgefuse.runtime.engines.tensorrt_package import DTYPES, ErrorLog, error_log


@dataclass(frozen=True, slots=True)
class Network:
    """A strongly typed network, with what belongs to it: the parser owns the weights."""

    name: str
    builder: Any
    definition: Any
    parser: Any
    log: ErrorLog

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        definition = self.definition
        return tuple(_tensor(definition.get_input(index)) for index in range(definition.num_inputs))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        definition = self.definition
        return tuple(_tensor(definition.get_output(index)) for index in range(definition.num_outputs))


def parse_graph(package: Package, name: str, path: Path) -> Network:
    """The ONNX file of graph `name` as a network; ExportError names the operator that TensorRT does not take."""
    trt = package.module
    log = error_log(trt)
    builder = _builder(package, log)
    definition = builder.create_network(_typed(trt))
    parser = trt.OnnxParser(definition, log.sink)
    model = bytes_cast_first(_load(path))
    if not parser.parse(model.SerializeToString()):
        raise refusal(name, model, parser)
    return Network(name, builder, definition, parser, log)


def _builder(package: Package, log: ErrorLog) -> Any:
    try:
        return package.module.Builder(log.sink)
    except TypeError as error:  # what pybind11 raises where the package gives none
        reason = log.errors[0].splitlines()[0] if log.errors else error
        raise ExportError(f"{package.module.__name__} does not work on this machine: {reason}") from error


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except DecodeError as error:
        raise ExportError(f"{path} is no ONNX graph: {error}") from error


def _typed(trt: Any) -> int:
    """The flag for a strongly typed network; a package without that flag has no other networks."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _tensor(tensor: Any) -> TensorSpec:
    dtype = tensor.dtype.name
    if dtype not in DTYPES:
        raise ExportError(f"{tensor.name} is of type {dtype}, which no modality uses")
    named = (tensor.get_dimension_name(axis) or "varying" for axis in range(len(tensor.shape)))
    shape = tuple(name if size < 0 else int(size) for size, name in zip(tensor.shape, named, strict=True))
    return TensorSpec(name=tensor.name, dtype=DTYPES[dtype], shape=shape)
