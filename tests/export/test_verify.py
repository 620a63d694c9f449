"""Verify finds what differs, and names it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from rich.console import Console

from edgefuse.export.checkpoint import spec_with_noise
from edgefuse.export.errors import ExportError
from edgefuse.export.parity import accuracy_check, alignment_check, graph_check, rank_agreement
from edgefuse.export.report.tables import verification_table
from edgefuse.export.spec import FusionSpec
from edgefuse.export.verify import verify_bundle
from edgefuse.fusion.checkpoint import Checkpoint, save_checkpoint
from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.bundle.manifest import Manifest, read_manifest
from edgefuse.runtime.engines.selftest import cosine_similarities
from edgefuse.runtime.errors import BundleError


def shown(verification: object) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(verification)
    return console.export_text()


def rewrite(directory: Path, **changes: object) -> None:
    """Another manifest whose checksums fit the files as they are."""
    manifest = read_manifest(directory)
    files = {name: described(directory / name) for name in manifest.files}
    Manifest.model_validate(manifest.model_dump() | {"files": files} | changes).write(directory)


def test_a_bundle_equals_its_checkpoint(fp32_bundle: Path, spec: FusionSpec) -> None:
    verification = verify_bundle(fp32_bundle, spec)
    assert verification.failures == ()
    assert verification == read_manifest(fp32_bundle).verified
    text = shown(verification_table(verification))
    assert "image + audio + text" in text
    assert "FAILS" not in text


def test_a_slightly_altered_graph_is_the_row_that_fails(bundle_copy: Path, spec: FusionSpec) -> None:
    model = onnx.load(bundle_copy / "image.onnx")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("embedding.weight"))
    values = onnx.numpy_helper.to_array(weight).copy()
    values[:8] = -values[:8]
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, bundle_copy / "image.onnx")
    with pytest.raises(BundleError, match=r"image\.onnx was altered"):
        verify_bundle(bundle_copy, spec)

    rewrite(bundle_copy)
    verification = verify_bundle(bundle_copy, spec)
    named = [failure.split(" (")[0] for failure in verification.failures]
    assert "image, embedding" in named
    assert "end to end, embedding" in named
    assert not any(name.startswith(("audio", "text", "fusion")) for name in named)
    assert "FAILS" in shown(verification_table(verification))


def test_another_network_cannot_be_compared(fp32_bundle: Path, checkpoint: Checkpoint, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, replace(checkpoint, labels=("cup", "nothing"), task=None))
    with pytest.raises(ExportError, match="different labels"):
        verify_bundle(fp32_bundle, spec_with_noise(other))


def test_cosine_similarities_by_hand() -> None:
    reference = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = np.array([[6.0, 8.0], [0.0, 2.0], [0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(cosine_similarities(reference, found), [1, 0, 1, 0])


def test_bounds_by_precision() -> None:
    reference = np.eye(4, dtype=np.float32)
    found = reference + 0.1 * np.roll(reference, 1, axis=1)
    assert graph_check("image", "embedding", "int8", reference, found).failure is None
    assert "below 0.9999" in str(graph_check("image", "embedding", "fp32", reference, found).failure)
    assert "above 0.001" in str(graph_check("fusion", "agreement", "fp32", reference[0], reference[0] + 0.01).failure)
    assert graph_check("image", "embedding", "int8", reference, np.full((4, 4), np.nan)).failure is not None


def test_accuracy_may_lose_half_a_point_and_one_example() -> None:
    labels = np.zeros(200, np.int64)
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    reference = np.array([right] * 200)
    assert accuracy_check(("audio",), labels, reference, np.array([right] * 198 + [wrong] * 2)).failure is None
    worse = accuracy_check(("audio", "text"), labels, reference, np.array([right] * 197 + [wrong] * 3))
    assert "accuracy with audio + text: 98.5% against 100.0%" in str(worse.failure)


def test_a_metric_of_ones_own_takes_the_place_of_right_guesses() -> None:
    labels, scores = np.array([0, 0]), np.array([[0.6, 0.4], [0.4, 0.6]])
    check = accuracy_check(("audio",), labels, scores, scores, lambda scores, labels: float(scores[:, 0].mean()))
    assert (check.checkpoint, check.bundle) == (0.5, 0.5)


def test_rank_agreement_by_hand() -> None:
    reference = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    found = np.array([[10.0, 20.0, 20.5], [1.0, 3.0, 2.0], [5.0, 5.0, 5.0]])
    np.testing.assert_allclose(rank_agreement(reference, found), [1, -1, 1])


def test_prompts_that_are_ranked_otherwise_fail_the_alignment() -> None:
    prompts, random = np.eye(4), np.random.default_rng(0)
    embeddings = random.standard_normal((20, 4))
    assert alignment_check("image", (embeddings, prompts), (1.01 * embeddings, prompts)).failure is None
    turned = alignment_check("image", (embeddings, prompts), (embeddings[:, ::-1], prompts))
    assert "image: prompts are ranked with an agreement of" in str(turned.failure)
