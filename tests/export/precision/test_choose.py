"""The precision of a graph is what measurement says: exact enough, and really faster."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import small_graphs

from edgefuse.calibration.quantization import CalibrationError
from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.parity import END_TO_END
from edgefuse.export.precision.candidates import Candidate
from edgefuse.export.precision.choose import PrecisionChoice, Wanted, choose, wider
from edgefuse.export.precision.quantize import Scheme
from edgefuse.runtime.bundle.verification import GraphCheck, Verification


def choice(
    model: onnx.ModelProto, wanted: Wanted, scheme: Scheme = "onnxruntime", steps: list[tuple[int, int]] | None = None
) -> PrecisionChoice:
    shape = [dimension.dim_value or 48 for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    calibration, holdout = (
        Feed({"x": np.random.default_rng(seed).standard_normal(shape).astype(np.float32)}) for seed in (1, 2)
    )
    graph = model.graph.name
    progress = [] if steps is None else steps
    chosen = choose(
        {graph: model},
        {graph: calibration},
        {graph: holdout},
        wanted,
        scheme,
        lambda stage, done, total: progress.append((done, total)),
    )
    return chosen[graph]


def of(found: PrecisionChoice, precision: str) -> list[Candidate]:
    return [candidate for candidate in found.candidates if candidate.precision == precision]


def test_the_layers_to_blame_are_found_and_alone_stay_wider() -> None:
    found = choice(small_graphs.image_graph(6, outlier_between=3), "int8")
    by_method = [one for one in of(found, "int8") if not one.wider]
    assert [one.method for one in by_method] == ["minmax", "entropy", "percentile"]
    assert all(one.strain > 1 for one in by_method)

    (taken,) = [one for one in found.candidates if one.chosen]
    assert found.precision == taken.precision == "int8"
    assert taken.strain <= 1
    assert taken.name == "int8 " + str(taken.method) + ", 2 layers wider"
    assert set(taken.wider) == {"conv3", "conv4"}, "the one that reads the outlier, and the one that writes it"
    assert found.blamed[0].layer == "conv4"
    weights = {tensor.name for tensor in found.model.graph.initializer}
    convolutions = [node for node in found.model.graph.node if node.op_type == "Conv"]
    assert {node.name for node in convolutions if node.input[1] in weights} == {"conv3", "conv4"}


def test_where_no_layer_rescues_int8_auto_keeps_float() -> None:
    found = choice(small_graphs.image_graph(1, outlier_between=0), "auto")
    assert found.precision == "fp32"
    assert all("error too large: embedding, cosine p1" in str(one.refused) for one in of(found, "int8"))
    assert found.blamed
    assert found.model.SerializeToString() == small_graphs.image_graph(1, outlier_between=0).SerializeToString()


def test_int8_that_is_slower_than_float_is_refused() -> None:
    found = choice(small_graphs.tiny_layers(), "auto")
    assert found.precision == "fp32"
    assert all(one.strain <= 1 for one in of(found, "int8"))
    assert all("int8 is not faster than fp32 here (0." in str(one.refused) for one in of(found, "int8"))
    assert choice(small_graphs.tiny_layers(), "int8").precision == "int8", "it was asked for"


def test_every_candidate_says_what_it_costs_and_one_is_chosen() -> None:
    steps: list[tuple[int, int]] = []
    found = choice(small_graphs.image_graph(3), "auto", steps=steps)
    assert steps[0] == (0, 4)
    assert steps[-1] == (4, 4)
    assert sorted(steps) == steps
    assert sum(one.chosen for one in found.candidates) == 1
    for one in found.candidates:
        assert one.chosen == (one.refused is None)
        assert one.size_bytes
        assert one.latency_ms
        assert one.speedup_range
        assert one.speedup_range[0] <= one.speedup <= one.speedup_range[1]
    assert max(of(found, "int8"), key=lambda one: one.size_bytes).size_bytes < of(found, "fp32")[0].size_bytes
    assert of(found, "fp16")[0].cosine_p1 > 0.9999


def test_for_tensorrt_auto_takes_fp16_and_int8_only_when_asked_for() -> None:
    automatic = choice(small_graphs.image_graph(3), "auto", "tensorrt")
    assert automatic.precision == "fp16"
    assert all("taken only when asked for" in str(one.refused) for one in of(automatic, "int8"))
    assert all(one.speedup is None for one in automatic.candidates)

    asked = choice(small_graphs.image_graph(3), "int8", "tensorrt")
    assert asked.precision == "int8"
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in asked.model.graph.initializer}
    zero_points = [
        weights[node.input[2]]
        for node in asked.model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and len(node.input) == 3
    ]
    assert zero_points
    assert all(array.dtype == np.int8 and not array.any() for array in zero_points)
    assert asked.model.opset_import[0].version == 20


def test_a_graph_with_nothing_to_quantize_stays_float_and_says_so() -> None:
    nodes = [onnx.helper.make_node("Sigmoid", ["x"], ["embedding"], name="squash")]
    model = small_graphs.model("touch", nodes, [], {"x": ["batch", 4], "embedding": ["batch", 4]})
    found = choice(model, "int8")
    assert found.precision == "fp32"
    assert of(found, "int8")[0].refused == "no layer of it gains by int8"


def test_samples_that_do_not_fit_are_refused() -> None:
    model = small_graphs.image_graph(2)
    good, flat = small_graphs.samples(1), Feed({"x": np.zeros((4, 16), np.float32)})
    with pytest.raises(CalibrationError, match="calibration samples of x are float32"):
        choose({"image": model}, {"image": flat}, {"image": good}, "int8", "onnxruntime")
    with pytest.raises(ExportError, match="image has no hold-out samples"):
        choose({"image": model}, {"image": good}, {"image": small_graphs.samples(1, 0)}, "int8", "onnxruntime")


def verification(graph: str, cosine: float) -> Verification:
    row = GraphCheck(
        graph=graph,
        output="embedding",
        precision="int8",
        samples=10,
        cosine_p1=cosine,
        cosine_min=cosine,
        max_abs_difference=0.1,
        cosine_bound=0.99,
        difference_bound=None,
    )
    return Verification(graphs=(row,), accuracy=())


def test_after_a_broken_bound_one_graph_at_a_time_gets_wider() -> None:
    models = {"image": small_graphs.image_graph(3), "text": small_graphs.tiny_layers(2)}
    samples = {
        "image": small_graphs.samples(1),
        "text": Feed({"x": np.random.default_rng(1).random((48, 4, 8)).astype(np.float32)}),
    }
    choices = choose(models, samples, samples, "int8", "tensorrt")
    errs_most = max(choices, key=lambda name: next(one.strain for one in choices[name].candidates if one.chosen))

    own = wider(choices, verification("text", 0.5))
    assert own is not None
    assert {name: one.precision for name, one in own.items()} == {"image": "int8", "text": "fp32"}
    assert own["text"].model.SerializeToString() == models["text"].SerializeToString()
    refused = [
        one.refused for one in own["text"].candidates if one.precision == "int8" and "whole bundle" in str(one.refused)
    ]
    assert len(refused) == 1

    whole = wider(choices, verification(END_TO_END, 0.5))
    assert whole is not None
    assert [name for name, one in whole.items() if one.precision == "fp32"] == [errs_most]
    last = wider(whole, verification(END_TO_END, 0.5))
    assert last is not None
    assert wider(last, verification(END_TO_END, 0.5)) is None
