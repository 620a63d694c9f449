"""Small real networks as bundles: their ONNX graphs are written out here, so that what they say can be told by hand.

All of them name a colour: red, green or blue. A camera says the mean colour of its frame, an inertial sensor says the
mean of its axes x, y and z.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx.shape_inference
from sealed import edit, files_of, seal

from edgefuse.runtime import Bundle
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS
from edgefuse.runtime.engines.backends import open_engine

COLOURS = {"red": "something red", "green": "something green", "blue": "something blue"}
IMU_HZ, IMU_WINDOW, IMU_HOP = 100.0, 20, 10
_DTYPES = {1: "float32", 2: "uint8", 7: "int64", 9: "bool", 10: "float16"}

CAMERA = """
camera (uint8[batch, height, width, 3] frame) => (float[batch, 1, 3] tokens, float[batch, 3] embedding) {
  full = Constant<value_float = 255.0>()
  one = Constant<value_ints = [1]>()
  pixels = Cast<to = 1>(frame)
  mean = ReduceMean<axes = [1, 2], keepdims = 0>(pixels)
  embedding = Div(mean, full)
  tokens = Unsqueeze(embedding, one)
}"""

INERTIAL = """
inertial (float[batch, 20, 3] window) => (float[batch, 1, 3] tokens, float[batch, 3] embedding) {
  tokens = ReduceMean<axes = [1], keepdims = 1>(window)
  embedding = ReduceMean<axes = [1], keepdims = 0>(window)
}"""

FUSION_OF_TWO = """
fusion (float[batch, 3] {0}_embedding, float[batch, 3] {1}_embedding, bool[batch, 2] present)
  => (float[batch, 3] scores) {{
  ten = Constant<value_float = 10.0>()
  told = Cast<to = 1>(present)
  first, second = Split<axis = 1>(told)
  of_first = Mul({0}_embedding, first)
  of_second = Mul({1}_embedding, second)
  both = Add(of_first, of_second)
  sharper = Mul(both, ten)
  scores = Softmax<axis = -1>(sharper)
}}"""

WHOLE = """
fusion (uint8[batch, height, width, 3] image, float[batch, 20, 3] imu) => (float[batch, 3] scores) {
  full = Constant<value_float = 25.5>()
  ten = Constant<value_float = 10.0>()
  pixels = Cast<to = 1>(image)
  mean = ReduceMean<axes = [1, 2], keepdims = 0>(pixels)
  seen = Div(mean, full)
  motion = ReduceMean<axes = [1], keepdims = 0>(imu)
  felt = Mul(motion, ten)
  both = Add(seen, felt)
  scores = Softmax<axis = -1>(both)
}"""

# Takes frames of 64 pixels and more; `motions` is any number of vectors.
WHOLE_WITH_MASK = """
fusion (uint8[batch, height, width, 3] image, float[batch, motions, 3] imu, bool[batch, 2] present)
  => (float[batch, 3] scores, float[batch, 2] weights) {
  full = Constant<value_float = 25.5>()
  ten = Constant<value_float = 10.0>()
  told = Cast<to = 1>(present)
  first, second = Split<axis = 1>(told)
  pixels = Cast<to = 1>(image)
  planes = Transpose<perm = [0, 3, 1, 2]>(pixels)
  coarse = AveragePool<kernel_shape = [64, 64], strides = [64, 64]>(planes)
  mean = ReduceMean<axes = [2, 3], keepdims = 0>(coarse)
  seen = Div(mean, full)
  motion = ReduceMean<axes = [1], keepdims = 0>(imu)
  felt = Mul(motion, ten)
  of_seen = Mul(seen, first)
  of_felt = Mul(felt, second)
  both = Add(of_seen, of_felt)
  scores = Softmax<axis = -1>(both)
  parts = ReduceSum<keepdims = 1>(told)
  weights = Div(told, parts)
}"""


def image(name: str = "image", graph: bool = True) -> dict[str, Any]:
    """A camera's entry in the manifest."""
    return {"name": name, "kind": "image", "max_age_ms": 200.0, "graph": CAMERA if graph else None}


def imu(name: str = "imu", graph: bool = True) -> dict[str, Any]:
    """An inertial sensor's."""
    window = {"rate_hz": IMU_HZ, "window_samples": IMU_WINDOW, "hop_samples": IMU_HOP, "channels": 3}
    return {"name": name, "kind": "signal", "max_age_ms": 500.0, "graph": INERTIAL if graph else None, **window}


def write_bundle(directory: Path, modalities: list[dict[str, Any]], fusion: str) -> Path:
    """A bundle of these senses; graphs in ONNX's own text form."""
    directory.mkdir()
    said = [
        modality | {"graph": modality["graph"] and _graph(directory, modality["name"], modality["graph"])}
        for modality in modalities
    ]
    manifest = {
        "schema_version": 1,
        "name": "colours",
        "dim": None,
        "modalities": said,
        "fusion": _graph(directory, "fusion", fusion),
        "labels": COLOURS,
        "made": {"edgefuse": "0", "command": "by hand"},
    }
    return seal(directory, manifest | {"files": files_of(directory)})


def golden_vectors(directory: Path, samples: int = 2) -> dict[str, np.ndarray]:
    """What the bundle's own engines make of some inputs, under the names that a golden file has."""
    bundle = Bundle.open(directory)
    rng = np.random.default_rng(0)
    vectors = {}
    for graph, spec in bundle.manifest.graphs.items():
        inputs = {tensor.name: _input(rng, tensor.name, tensor.dtype, tensor.shape, samples) for tensor in spec.inputs}
        for side, arrays in (("inputs", inputs), ("outputs", open_engine(bundle, graph).run(inputs))):
            vectors |= {f"{graph}/{side}/{name}": array for name, array in arrays.items()}
    return vectors


def add_golden(directory: Path, vectors: dict[str, np.ndarray]) -> Path:
    """Give a bundle golden vectors, each output bounded: by its cosine, or by the difference of single numbers."""
    np.savez(directory / "golden.npz", **vectors)
    outputs = [(*key.split("/outputs/"), array) for key, array in vectors.items() if "/outputs/" in key]
    near = {1: {"cosine": None, "difference": 0.1}}  # by the number of dimensions
    alike = {"cosine": 0.99, "difference": None}
    bounds = [{"graph": graph, "output": name, **near.get(array.ndim, alike)} for graph, name, array in outputs]
    return edit(directory, lambda manifest: manifest.update(golden={"file": "golden.npz", "bounds": bounds}))


def _graph(directory: Path, name: str, text: str) -> dict[str, Any]:
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 17]>\n{text}')
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    onnx.save(model, directory / f"{name}.onnx")
    inputs, outputs = ([_tensor(one) for one in side] for side in (model.graph.input, model.graph.output))
    return {"file": f"{name}.onnx", "precision": "fp32", "inputs": inputs, "outputs": outputs}


def _tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    shape = [dim.dim_param or dim.dim_value for dim in kind.shape.dim]
    return {"name": value.name, "dtype": _DTYPES[kind.elem_type], "shape": shape}


def _input(rng: np.random.Generator, name: str, dtype: str, shape: tuple[int | str, ...], samples: int) -> np.ndarray:
    sizes = [size if isinstance(size, int) else 64 for size in shape[1:]]
    if name == PRESENT:
        return np.ones((samples, *sizes), np.bool_)
    rows = 5 if name == PROMPTS else samples
    if dtype == "float32":
        values = rng.normal(size=(rows, *sizes))
        return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)
    return rng.integers(1, 10 if dtype == "int64" else 255, (rows, *sizes)).astype(dtype)
