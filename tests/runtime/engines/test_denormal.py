"""Numbers too small for float32's full precision, as in sound that fades out, are zeros, which cost nothing more."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgefuse.runtime.bundle.manifest import GraphSpec, TensorSpec
from edgefuse.runtime.engines.engine_onnxruntime import session_options
from edgefuse.runtime.engines.engine_openvino import open_on_openvino
from edgefuse.runtime.engines.plan import OpenVinoWay

TINY = np.full((1, 64), 1e-40, np.float32)


@pytest.fixture
def halving(tmp_path: Path) -> Path:
    """y = x / 2, as an ONNX file."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in "xy")
    by = numpy_helper.from_array(np.full(64, 0.5, np.float32), "by")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "by"], ["y"])], "halving", [x], [y], [by])
    path = tmp_path / "halving.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_on_onnxruntime(halving: Path) -> None:
    ours = onnxruntime.InferenceSession(halving, session_options(), providers=["CPUExecutionProvider"])
    assert not ours.run(None, {"x": TINY})[0].any()


def test_on_openvino(halving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    x, y = (TensorSpec(name=name, dtype="float32", shape=(1, 64)) for name in "xy")
    spec = GraphSpec(file=halving.name, precision="fp32", inputs=(x,), outputs=(y,))
    for _ in ("compiled", "from the cache"):
        engine = open_on_openvino(halving, spec, "0" * 64, OpenVinoWay(arithmetic="f32"))
        assert not engine.run({"x": TINY.copy()})["y"].any()
