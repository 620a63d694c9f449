"""What TensorRT's parser takes, what it does not, and what a user is told then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.network import parse_graph
from edgefuse.export.tensorrt.package import load_package
from edgefuse.export.tensorrt.plan import plan_of
from edgefuse.export.tensorrt.rewrite import bytes_cast_first
from edgefuse.runtime import DEFAULT_BUNDLE

GraphFromText = Callable[[str], onnx.ModelProto]

REFUSED = {
    "Unique": ("y = Unique<axis = 0>(x)", "export with --target onnx"),
    "DynamicQuantizeLinear": ("q, s, z = DynamicQuantizeLinear(x)\n y = DequantizeLinear(q, s, z)", "--target onnx"),
    "Add": ("h = Cast<to = 10>(x)\n y = Add(x, h)", "cast one of its inputs in the module"),
    "QuantizeLinear": (
        "s = Constant<value_float = 0.1>()\n z = Constant<value = uint8 {128}>()\n"
        "q = QuantizeLinear(x, s, z)\n y = DequantizeLinear(q, s, z)",
        "int8 is the kind for ONNX Runtime",
    ),
}


@pytest.mark.parametrize("operator", REFUSED)
def test_a_refusal_names_operator_node_and_module_and_what_to_do(
    operator: str, tmp_path: Path, graph_from_text: GraphFromText
) -> None:
    body, advice = REFUSED[operator]
    onnx.save(graph_from_text(f"odd (float[batch, 4] x) => (float[batch, 4] y) {{ {body} }}"), tmp_path / "odd.onnx")
    with pytest.raises(ExportError) as caught:
        parse_graph(load_package("tensorrt-rtx"), "odd", tmp_path / "odd.onnx")
    message = str(caught.value)
    assert f"graph odd: TensorRT does not take {operator} (node_" in message
    assert "of module encoder.body" in message
    assert advice in message
    assert "\n" not in message
    assert "/_src/" not in message


def test_int8_for_onnxruntime_is_refused_and_says_how_to_export() -> None:
    with pytest.raises(ExportError, match=r"graph image: .*int8 is the kind for ONNX Runtime.*--target tensorrt"):
        parse_graph(load_package("tensorrt-rtx"), "image", DEFAULT_BUNDLE / "image.onnx")


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(ExportError, match=r"junk.onnx is no ONNX graph"):
        parse_graph(load_package("tensorrt-rtx"), "junk", tmp_path / "junk.onnx")


def test_a_build_that_fails_says_why(plain_bundle: Path) -> None:
    package = load_package("tensorrt-rtx")
    network = parse_graph(package, "fusion", plain_bundle / "fusion.onnx")
    profile = {
        tensor.name: ((1, *tensor.shape[1:]), (1, *tensor.shape[1:]), (2, *tensor.shape[1:]))
        for tensor in network.inputs
    }
    with pytest.raises(ExportError, match=r"graph fusion: .*Turing.*; export with --precision fp16"):
        plan_of(package, network, profile, "7.5", lambda share: None)  # type: ignore[arg-type]


def test_bytes_cast_first_computes_the_same(plain_bundle: Path) -> None:
    model = onnx.load(plain_bundle / "image.onnx")
    rewritten = bytes_cast_first(model)
    assert [node.op_type for node in rewritten.graph.node][:1] == ["Cast"]
    frame = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    ours, theirs = (run(graph, frame) for graph in (rewritten, model))
    np.testing.assert_array_equal(ours, theirs)


def test_arithmetic_on_bytes_is_not_rewritten(graph_from_text: GraphFromText) -> None:
    """It wraps around at 256; in float32 it would not."""
    model = graph_from_text("odd (uint8[batch, 4] x) => (float[batch, 4] y) { z = Add(x, x)\n y = Cast<to = 1>(z) }")
    assert bytes_cast_first(model) == model


def run(model: onnx.ModelProto, frame: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["embedding"], {"frame": frame})[0])
