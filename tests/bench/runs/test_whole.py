"""The whole network anew for everything that comes, on a small network whose answer can be told by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from made_runs import NotedEngine

sys.path.insert(0, str(Path(__file__).parents[2] / "runtime"))

from small_networks import FUSION_OF_TWO, image, imu, write_bundle

from edgefuse.bench.extent import Effort
from edgefuse.bench.load.feeds import evidence_from
from edgefuse.bench.load.fusion_inputs import FusionInputs
from edgefuse.bench.load.variants import Variant, open_variants
from edgefuse.bench.runs.graphs import feeds_from_variants, measure_graphs
from edgefuse.bench.runs.paced import run_paced
from edgefuse.bench.runs.whole import WholeRunner
from edgefuse.runtime import DEFAULT_CLIP
from edgefuse.runtime.bundle.wiring import PRESENT


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Variant:
    """Led by a signal, with a camera beside it."""
    fusion = FUSION_OF_TWO.format("imu", "image")
    bundle = write_bundle(tmp_path_factory.mktemp("whole") / "b", [imu(), image()], fusion)
    return open_variants([bundle], ["cpu"], DEFAULT_CLIP)[0]


def noted_engines() -> dict[str, NotedEngine]:
    """By graph, each with outputs of its own."""
    tokens = {sense: np.full((1, 3), number, np.float32) for number, sense in enumerate(("imu", "image"))}
    engines = {
        sense: NotedEngine(["window" if sense == "imu" else "frame"], {"tokens": array, "embedding": array})
        for sense, array in tokens.items()
    }
    fusion = NotedEngine(["imu_embedding", "image_embedding", "image_tokens", PRESENT], {"scores": tokens["imu"]})
    return engines | {"fusion": fusion}


def test_the_fusion_is_given_what_its_own_engine_takes_all_senses_present(variant: Variant):
    """Also tokens that the bundle's fusion does not read, since a peer's may."""
    engines = noted_engines()
    row = [pieces[0] for pieces in evidence_from(variant.bundle, variant.workload).values()]
    inputs = FusionInputs(variant.bundle.manifest, engines, None).encode(row)
    assert list(inputs) == ["imu_embedding", "image_embedding", "image_tokens", PRESENT]
    assert inputs["image_tokens"].tolist() == [[1.0, 1.0, 1.0]]
    assert inputs[PRESENT].tolist() == [[True, True]]
    (given,) = engines["image"].given
    assert given["frame"] is row[1].array


def test_a_sense_that_has_not_come_is_zeros_in_the_shape_of_its_own(variant: Variant):
    """A camera's frames have the size of the source's, although another sense leads."""
    engines = noted_engines()
    examples = evidence_from(variant.bundle, variant.workload)
    runner = WholeRunner(variant.bundle, engines, None, examples)
    streams = variant.workload.streams(rate_hz=1.0, seconds=0.3, counted_after_s=0)
    moments = list(runner.perceive(*(stream for stream in streams if stream.sense.name == "imu")))
    assert moments
    frame = engines["image"].given[0]["frame"]
    assert frame.shape == examples["image"][0].array.shape
    assert frame.dtype == np.uint8
    assert not frame.any()
    assert all(list(moment.evidence_ns) == ["imu"] for moment in moments)


def test_every_new_frame_and_hop_runs_everything_anew(variant: Variant):
    engines = noted_engines()
    runner = WholeRunner(variant.bundle, engines, None, evidence_from(variant.bundle, variant.workload))
    run = run_paced(runner, variant.workload, rate_hz=20, seconds=0.5, warm_up_s=0.2)
    counts = {graph: len(engine.given) for graph, engine in engines.items()}
    assert len(set(counts.values())) == 1
    assert len(runner.calls) == counts["fusion"]
    assert {call.graph for call in run.calls} == {"whole network"}
    assert list(run.moments[-1].stages_ms) == ["sensor late", "wait", "network"]
    for moment in run.moments:
        assert sum(moment.stages_ms.values()) == pytest.approx(moment.latency_ms)


def test_another_run_begins_with_nothing_sensed_and_nothing_counted(variant: Variant):
    engines = noted_engines()
    runner = WholeRunner(variant.bundle, engines, None, evidence_from(variant.bundle, variant.workload))
    run_paced(runner, variant.workload, rate_hz=20, seconds=0.3, warm_up_s=0.1)
    for engine in engines.values():
        engine.given.clear()
    (only,) = [s for s in variant.workload.streams(1.0, 0.3, 0) if s.sense.name == "imu"]
    list(runner.perceive(only))
    assert not engines["image"].given[0]["frame"].any()


def test_a_graph_is_measured_beside_the_peers_of_the_same_name(variant: Variant):
    """A peer's fusion is fed by its own encoders."""
    engines = noted_engines()
    feeds = feeds_from_variants([variant])
    results = measure_graphs([variant], feeds, {"ort": engines}, Effort(1, 0.0), lambda stage, done, total: None)
    assert [(one.graph, one.variant) for one in results] == [
        (graph, name) for graph in variant.bundle.manifest.graphs for name in (variant.name, "ort")
    ]
    assert results[1].backend == "by hand"
    assert results[0].backend.endswith("fp32")
    fused = engines["fusion"].given[-1]
    assert fused["image_tokens"].tolist() == [[1.0, 1.0, 1.0]]
