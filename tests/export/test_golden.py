"""Golden vectors are what PyTorch gives, small, and passed by the engines that they were measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from edgefuse.export.golden import golden_bounds, small
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.runtime.bundle.bundle import Bundle


def test_they_are_pytorchs_outputs_of_a_few_small_inputs(fp32_bundle: Path, checkpoint: Checkpoint) -> None:
    golden = Bundle.open(fp32_bundle).manifest.golden
    assert golden is not None
    with np.load(fp32_bundle / golden.file, allow_pickle=False) as file:
        vectors = dict(file)
    frames = vectors["image/inputs/frame"]
    assert frames.shape == (2, 96, 128, 3)
    with torch.inference_mode():
        expected = checkpoint.network.encoders["image"](torch.from_numpy(frames))
    np.testing.assert_allclose(vectors["image/outputs/embedding"], expected.embedding.numpy(), atol=1e-5)
    assert vectors["fusion/inputs/present"].tolist() == [[True, True, True], [True, True, False]]
    assert len(vectors["fusion/inputs/prompts"]) == 37
    assert (fp32_bundle / golden.file).stat().st_size < 1_000_000


def test_every_output_of_every_graph_has_a_bound_of_its_kind(fp32_bundle: Path) -> None:
    manifest = Bundle.open(fp32_bundle).manifest
    assert manifest.golden is not None
    bounds = {(bound.graph, bound.output): bound for bound in manifest.golden.bounds}
    assert set(bounds) == {(name, output.name) for name, graph in manifest.graphs.items() for output in graph.outputs}
    assert bounds["fusion", "agreement"].cosine is None
    assert bounds["fusion", "agreement"].difference == 0.05
    assert bounds["image", "tokens"].difference is None
    assert bounds["image", "tokens"].cosine == 0.99


def test_bounds_are_what_was_measured_less_a_margin() -> None:
    expected = {"tokens": np.array([[1.0, 0.0], [0.0, 1.0]]), "agreement": np.array([0.5, 1.0])}
    found = {"tokens": np.array([[0.8, 0.6], [0.0, 1.0]]), "agreement": np.array([0.6, 1.0])}
    tokens, agreement = golden_bounds("image", expected, found)
    assert (tokens.cosine, tokens.difference) == (0.79, None)
    assert (agreement.cosine, agreement.difference) == (None, 0.15)


def test_large_frames_are_squeezed_and_small_ones_kept() -> None:
    assert small(np.zeros((2, 480, 640, 3), np.uint8)).shape == (2, 96, 128, 3)
    assert small(np.zeros((2, 64, 64, 3), np.uint8)).shape == (2, 64, 64, 3)
