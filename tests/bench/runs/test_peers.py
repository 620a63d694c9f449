"""Peers run the very network that the bundle was made from."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from sealed import edit

from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import Peer
from edgefuse.bench.load.feeds import evidence_from, feeds_from, prompts_from
from edgefuse.bench.load.fusion_inputs import FusionInputs
from edgefuse.bench.load.variants import Variant, open_variants
from edgefuse.bench.runs.paced import run_paced
from edgefuse.bench.runs.peers import TITLES, Peers, TorchEngine, peers_from
from edgefuse.bench.runs.whole import WholeRunner
from edgefuse.export.checkpoint import spec_with_noise
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.errors import EngineError

CHECKPOINT = Path(__file__).parents[3] / "tabletop" / "tabletop.safetensors"


@pytest.fixture(scope="module")
def variant() -> Variant:
    return open_variants([DEFAULT_BUNDLE], ["cpu"], DEFAULT_CLIP)[0]


@pytest.fixture(scope="module")
def peers(variant: Variant, tmp_path_factory: pytest.TempPathFactory) -> Peers:
    return Peers(str(CHECKPOINT), spec_with_noise(CHECKPOINT), variant.bundle, tmp_path_factory.mktemp("graphs"))


@pytest.mark.parametrize(
    "peer", ["torch", pytest.param("ort", marks=pytest.mark.slow), pytest.param("openvino", marks=pytest.mark.slow)]
)
def test_a_peer_perceives_what_the_bundle_perceives(peers: Peers, variant: Variant, peer: Peer):
    if peer == "openvino":
        pytest.importorskip("openvino")
    bundle = variant.bundle
    ours = {graph: open_engine(bundle, graph, "cpu") for graph in bundle.manifest.graphs}
    theirs = peers.open(peer, feeds_from(bundle, ours, variant.workload))
    prompts = prompts_from(bundle, ours)
    assert prompts is not None
    feed = feeds_from(bundle, ours, variant.workload)["fusion"][0]
    expected = ours["fusion"].run(feed)["scores"]
    sensed = [pieces[0] for pieces in evidence_from(bundle, variant.workload).values()]
    found = theirs["fusion"].run(FusionInputs(bundle.manifest, theirs, prompts).encode(sensed))["scores"]
    assert np.abs(found - expected).max() < 0.1
    assert found.argmax() == expected.argmax()


@pytest.mark.slow
def test_a_whole_network_hears_of_every_frame_and_hop(peers: Peers, variant: Variant):
    bundle = variant.bundle
    ours = {graph: open_engine(bundle, graph, "cpu") for graph in bundle.manifest.graphs}
    runner = WholeRunner(
        bundle, peers.open("ort", {}), prompts_from(bundle, ours), evidence_from(bundle, variant.workload)
    )
    run = run_paced(runner, variant.workload, rate_hz=20, seconds=1.2)
    assert {"image", "audio"} <= set(run.moments[-1].evidence_ns)
    assert len(run.moments) > 0.5 * run.offered["image"]
    assert len(run.news_ms("audio")) >= 3
    assert (run.news_ms("audio") > 0).all()


def test_another_checkpoint_is_refused(variant: Variant, tmp_path):
    copy = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "copy"))
    edit(copy, lambda manifest: manifest["made"].update(checkpoint_sha256="0" * 64))
    (other,) = open_variants([copy], ["cpu"], DEFAULT_CLIP)
    with pytest.raises(BenchError, match="was not made from"):
        Peers(str(CHECKPOINT), spec_with_noise(CHECKPOINT), other.bundle, tmp_path)


@pytest.mark.parametrize(
    ("text", "peers"),
    [
        ("", ()),
        (" , ", ()),
        ("torch", ("torch",)),
        ("ort, torch ,openvino", ("ort", "torch", "openvino")),
        ("ort,ort,torch-compile,ort", ("ort", "torch-compile")),
    ],
)
def test_peers_are_named_with_commas_between(text, peers):
    assert peers_from(text) == peers


@pytest.mark.parametrize("text", ["tvm", "torch,tvm", "Torch", "torch ort", "torch;ort"])
def test_another_name_is_refused_and_the_known_ones_are_named(text):
    with pytest.raises(BenchError, match="expected some of torch, torch-compile, ort, openvino") as refusal:
        peers_from(text)
    assert str(refusal.value).startswith(f"--vs {text.split(',')[-1]}: ")


def test_every_peer_has_a_title_and_no_two_the_same():
    assert set(TITLES) == set(peers_from("torch,torch-compile,ort,openvino"))
    assert len(set(TITLES.values())) == 4


def test_what_does_not_compile_here_is_one_line(peers: Peers, variant: Variant, monkeypatch):
    import torch

    def compile_badly(module: object) -> object:
        def run(*_: object) -> object:
            raise RuntimeError("no C++ compiler\nand forty lines more")

        return run

    monkeypatch.setattr(torch, "compile", compile_badly)
    feeds = feeds_from(variant.bundle, variant.engines(), variant.workload)
    with pytest.raises(BenchError) as refusal:
        peers.open("torch-compile", feeds)
    line = str(refusal.value)
    assert line.startswith("--vs torch-compile: graph ")
    assert line.endswith("does not compile here: no C++ compiler")


def test_without_openvino_it_is_said_how_to_install_it(variant: Variant, monkeypatch, tmp_path):
    own = Peers(str(CHECKPOINT), spec_with_noise(CHECKPOINT), variant.bundle, tmp_path)
    for graph in variant.bundle.manifest.graphs:  # as if they had been exported
        (tmp_path / f"{graph}.onnx").touch()
    feeds = feeds_from(variant.bundle, variant.engines(), variant.workload)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match=r"OpenVINO is not installed: pip install '\.\[openvino\]'"):
        own.open("openvino", feeds)


def test_a_peer_says_what_it_takes_and_gives(peers: Peers):
    engine = peers.open("torch", {})["image"]
    assert isinstance(engine, TorchEngine)
    assert [(tensor.name, tensor.dtype) for tensor in engine.inputs] == [("frame", "uint8")]
    assert [tensor.name for tensor in engine.outputs] == ["tokens", "embedding"]
    assert engine.backend == "torch"
