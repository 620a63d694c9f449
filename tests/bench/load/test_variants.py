"""Bundles on backends, each with a name of its own, and real inputs for each graph of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.feeds import INPUTS, evidence_from, feeds_from, prompts_from
from edgefuse.bench.load.variants import Variant, backends_from, open_variants
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS
from edgefuse.runtime.errors import BundleError, EngineError


@pytest.fixture(scope="module")
def variant() -> Variant:
    return open_variants([DEFAULT_BUNDLE], ["cpu"], DEFAULT_CLIP)[0]


def test_names_are_of_folders_and_no_two_the_same(tmp_path):
    (tmp_path / "other").mkdir()
    first, second = (Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / name)) for name in ("a", "other/a"))
    variants = open_variants([first, second, first], ["cpu"], DEFAULT_CLIP)
    assert [variant.name for variant in variants] == ["a", "a #2", "a #3"]


def test_of_several_backends_the_name_says_which():
    """One here would do; twice the same is not asked for by anybody, and numbered."""
    variants = open_variants([DEFAULT_BUNDLE], ["cpu", "auto"], DEFAULT_CLIP)
    assert [variant.name for variant in variants] == ["bundle on cpu", "bundle on auto"]
    assert variants[0].backends == dict.fromkeys(variants[0].bundle.manifest.graphs, "onnxruntime-cpu")


def test_backends_are_each_once():
    assert backends_from(["cpu", "auto", "cpu"]) == ("cpu", "auto")


def test_another_backend_is_refused_and_the_known_ones_are_named():
    with pytest.raises(BenchError, match="--backend gpu: expected auto, cpu, openvino, cuda, tensorrt"):
        backends_from(["cpu", "gpu"])


def test_a_backend_that_is_not_here_is_said_before_anything_is_measured(no_gpu):
    with pytest.raises(EngineError, match="backend cuda cannot run the graph"):
        open_variants([DEFAULT_BUNDLE], ["cuda"], DEFAULT_CLIP)


def test_an_altered_bundle_is_not_measured(tmp_path):
    bundle = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "altered"))
    graph = next(bundle.glob("*.onnx"))
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(BundleError, match=graph.name):
        open_variants([bundle], ["cpu"], DEFAULT_CLIP)


def test_the_first_sense_leads(variant: Variant):
    assert variant.lead.name == "image"


def test_every_graph_is_fed_with_different_real_inputs(variant: Variant):
    engines = variant.engines()
    feeds = feeds_from(variant.bundle, engines, variant.workload)
    assert set(feeds) == set(variant.bundle.manifest.graphs)
    for graph, feed in feeds.items():
        assert len(feed) == INPUTS
        assert {name for inputs in feed for name in inputs} == {tensor.name for tensor in engines[graph].inputs}
        for inputs in feed:
            for output in engines[graph].run(inputs).values():
                assert np.isfinite(output).all()
    frames = [inputs["frame"] for inputs in feeds["image"]]
    assert not np.array_equal(frames[0], frames[-1])


def test_the_fusion_is_given_all_senses_and_the_bundles_own_labels(variant: Variant):
    engines = variant.engines()
    inputs = feeds_from(variant.bundle, engines, variant.workload)["fusion"][0]
    assert inputs[PRESENT].tolist() == [[True, True, True]]
    assert len(inputs[PROMPTS]) == len(variant.bundle.manifest.labels)
    prompts = prompts_from(variant.bundle, engines)
    assert prompts is not None
    assert np.array_equal(inputs[PROMPTS], prompts)


def test_a_series_is_evidence_once_its_window_has_filled(variant: Variant):
    """Else the first inputs would be mostly zeros."""
    evidence = evidence_from(variant.bundle, variant.workload)
    (audio,) = [sense for sense in variant.bundle.manifest.modalities if sense.name == "audio"]
    for one in evidence["audio"]:
        assert one.array.shape == (1, audio.window_samples)
        assert (one.array[0, :100] != 0).any()
    assert [one.modality for one in evidence["image"]] == ["image"] * INPUTS
