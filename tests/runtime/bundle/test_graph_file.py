"""Weights outside a graph's file are found wherever ONNX lets them be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from fuzzing import each_round, is_one_line, mutated
from onnx import TensorProto, helper, numpy_helper
from sealed import edit
from small_networks import FUSION_OF_TWO, image, imu, write_bundle

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError, Perceiver
from edgefuse.runtime.bundle.graph_file import external_files


def outside(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in (("offset", "0"), ("location", location), ("length", "12")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def in_initializer(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.initializer.append(tensor)


def in_constant(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def in_branch(model: onnx.ModelProto, tensor: TensorProto) -> None:
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["z"])], "b", [], [], [tensor])
    model.graph.node.append(helper.make_node("If", ["said"], ["b"], then_branch=branch, else_branch=branch))


def in_function(model: onnx.ModelProto, tensor: TensorProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    model.functions.append(helper.make_function("own", "f", [], ["c"], [node], [helper.make_opsetid("", 17)]))


def in_sparse(model: onnx.ModelProto, tensor: TensorProto) -> None:
    indices = numpy_helper.from_array(np.arange(3), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, [3]))


@pytest.mark.parametrize("put", [in_initializer, in_constant, in_branch, in_function, in_sparse])
def test_weights_outside_are_found(tmp_path: Path, put: Callable[[onnx.ModelProto, TensorProto], None]) -> None:
    model = onnx.load(DEFAULT_BUNDLE / "text.onnx")
    put(model, outside("../secret.bin"))
    (tmp_path / "graph.onnx").write_bytes(model.SerializeToString())
    assert external_files(tmp_path / "graph.onnx") == {"../secret.bin"}


@pytest.mark.parametrize("graph", ["image", "audio", "text", "fusion"])
def test_a_graph_that_has_its_weights_itself(graph: str) -> None:
    assert external_files(DEFAULT_BUNDLE / f"{graph}.onnx") == set()


def test_weights_beside_a_graph_are_files_of_the_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", [image(), imu()], FUSION_OF_TWO.format("image", "imu"))
    model = onnx.load(bundle / "image.onnx")
    model.graph.initializer.append(numpy_helper.from_array(np.full(1000, 255, np.float32), "weights"))
    onnx.save(model, bundle / "image.onnx", save_as_external_data=True, location="weights.bin", size_threshold=100)
    Perceiver.open(edit(bundle, lambda manifest: None))
    with pytest.raises(BundleError, match=r"image\.onnx has weights in 'weights\.bin', which is no file of the bundle"):
        Bundle.open(edit(bundle, lambda manifest: manifest["files"].pop("weights.bin")))
    edit(bundle, lambda manifest: None)
    (bundle / "weights.bin").write_bytes(bytes(4000))
    with pytest.raises(BundleError, match=r"weights\.bin was altered"):
        Bundle.open(bundle)


@pytest.mark.fuzz
def test_a_graph_that_was_mutated_is_read_or_refused(tmp_path: Path) -> None:
    model = onnx.load(DEFAULT_BUNDLE / "text.onnx")
    for put in (in_initializer, in_constant, in_branch, in_function, in_sparse):
        put(model, outside("weights.bin"))
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    content, path = model.SerializeToString(), tmp_path / "graph.onnx"

    def check(random: Random) -> None:
        path.write_bytes(mutated(content, random))
        refused = None
        try:
            assert len(external_files(path)) <= 5
        except BundleError as error:
            refused = error
        assert refused is None or is_one_line(refused)

    each_round(300, check)
