"""What a TensorRT engine refuses before it asks a GPU for anything."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from edgefuse.runtime import EngineError
from edgefuse.runtime.bundle.manifest import EngineSpec, TensorSpec
from edgefuse.runtime.engines.engine_file import check_gpu, check_installed, check_version
from edgefuse.runtime.engines.engine_tensorrt import TensorRtEngine, check_inputs
from edgefuse.runtime.engines.gpu import Gpu

ORIN = Gpu("Orin", "8.7", "12.6")
TURING = Gpu("T4", "7.5", "12.8")


def spec(compute_capability: str | None = None, version: str = "1.0") -> EngineSpec:
    return EngineSpec(
        file="graph.engine",
        target="tensorrt-rtx",
        version=version,
        compute_capability=compute_capability,
        graph_sha256="0" * 64,
        profile={"x": ((1, 3), (1, 3), (8, 3))},
        inputs=(
            TensorSpec(name="x", dtype="float32", shape=("batch", 3)),
            TensorSpec(name="gain", dtype="float16", shape=(1,)),
        ),
        outputs=(TensorSpec(name="y", dtype="float32", shape=("batch", 3)),),
    )


@pytest.mark.parametrize(
    ("built_for", "gpu", "said"),
    [
        ("8.9", ORIN, "built for compute capability 8.9, Orin has 8.7"),
        (None, TURING, "built for compute capability 8.0 and later, T4 has 7.5"),
    ],
)
def test_an_engine_of_another_gpu_is_refused(built_for, gpu, said):
    with pytest.raises(EngineError, match=said):
        check_gpu(spec(built_for), gpu)


@pytest.mark.parametrize(("built_for", "gpu"), [("8.7", ORIN), (None, ORIN), ("7.5", TURING)])
def test_an_engine_of_this_gpu_is_taken(built_for, gpu):
    check_gpu(spec(built_for), gpu)


def test_an_engine_of_another_version_is_refused():
    package = pytest.importorskip("tensorrt_rtx")
    with pytest.raises(EngineError, match=f"built by tensorrt-rtx 0.1, installed is {package.__version__}"):
        check_version(spec(version="0.1"))
    check_version(spec(version=package.__version__))


def test_an_engine_whose_package_is_not_installed_says_what_to_install():
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("tensorrt is installed")
    with pytest.raises(EngineError, match="the package tensorrt is not installed: pip install tensorrt"):
        check_version(spec().model_copy(update={"target": "tensorrt"}))


GAIN = np.ones(1, np.float16)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"x": np.zeros((1, 3), np.float32)}, "takes x, gain, got x"),
        ({"x": np.zeros((1, 3)), "gain": GAIN}, "x should be float32, is float64"),
        ({"x": np.zeros((9, 3), np.float32), "gain": GAIN}, r"x should be from \(1, 3\) to \(8, 3\), is \(9, 3\)"),
        ({"x": np.zeros((1, 3, 1), np.float32), "gain": GAIN}, r"is \(1, 3, 1\)"),
        (
            {"x": np.zeros((1, 3), np.float32), "gain": GAIN.repeat(2)},
            r"gain should be from \(1,\) to \(1,\), is \(2,\)",
        ),
    ],
)
def test_inputs_outside_the_profile_are_refused_by_name(inputs, said):
    with pytest.raises(EngineError, match=said):
        check_inputs(spec(), inputs)


def test_inputs_within_the_profile_are_taken():
    check_inputs(spec(), {"x": np.zeros((8, 3), np.float32), "gain": GAIN})


@pytest.fixture(scope="module")
def rtx_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real engine of one operator, built without a GPU."""
    onnx, trt = pytest.importorskip("onnx"), pytest.importorskip("tensorrt_rtx")
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 3]) for name in ("x", "y")]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "relu", tensors[:1], tensors[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR)).parse(model.SerializeToString())
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    profile.set_shape("x", (1, 3), (1, 3), (8, 3))
    config.add_optimization_profile(profile)
    path = Path(tmp_path_factory.mktemp("rtx") / "relu.engine")
    path.write_bytes(builder.build_serialized_network(network, config))
    return path


def relu(version: str) -> EngineSpec:
    x, y = (TensorSpec(name=name, dtype="float32", shape=("batch", 3)) for name in ("x", "y"))
    return spec(version=version).model_copy(update={"inputs": (x,), "outputs": (y,)})


@pytest.mark.usefixtures("no_gpu")
def test_a_real_engine_says_why_it_does_not_load_without_a_gpu(rtx_engine):
    trt = pytest.importorskip("tensorrt_rtx")
    with pytest.raises(EngineError, match=r"^tensorrt-rtx .* does not load it: .*[Cc]uda.*") as error:
        TensorRtEngine(rtx_engine, relu(trt.__version__))
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_gpu")
def test_a_machine_without_a_gpu_says_so():
    pytest.importorskip("tensorrt_rtx")
    with pytest.raises(EngineError, match="NVIDIA driver"):
        check_installed("tensorrt-rtx")


def test_a_real_engine_gives_the_right_numbers_whatever_the_order_of_shapes(rtx_engine, gpu):
    trt = pytest.importorskip("tensorrt_rtx")
    try:
        check_installed("tensorrt-rtx")
    except EngineError as error:
        pytest.skip(str(error))
    engine = TensorRtEngine(rtx_engine, relu(trt.__version__))
    for rows in (1, 1, 1, 4, 4, 4, 8, 2, 1):
        x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
        assert np.array_equal(engine.run({"x": x})["y"], x.clip(0))
