"""The engines' numbers are compared where they can run; where not, the reason is said."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from edgefuse.export.tensorrt import check_numbers, numbers
from edgefuse.export.tensorrt.build import with_engines
from edgefuse.runtime.bundle.bundle import Bundle, described
from edgefuse.runtime.bundle.manifest import Golden, GoldenBound, read_manifest
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine import Engine

IDS = np.array([[1, 1, 2, 2], [3, 3, 3, 3]])
RIGHT = np.array([[0.5, 0.5, 0], [0, 0, 1]], np.float32)


def with_golden(directory: Path, embeddings: np.ndarray) -> Bundle:
    np.savez(directory / "golden.npz", **{"text/inputs/ids": IDS, "text/outputs/embedding": embeddings})
    manifest = read_manifest(directory)
    bound = GoldenBound(graph="text", output="embedding", cosine=0.999, difference=None)
    files = manifest.files | {"golden.npz": described(directory / "golden.npz")}
    golden = Golden(file="golden.npz", bounds=(bound,))
    manifest.model_copy(update={"golden": golden, "files": files}).write(directory)
    return Bundle.open(directory)


def has_nvidia_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@pytest.mark.skipif(has_nvidia_driver(), reason="this machine may be able to run the engines")
def test_without_a_gpu_nothing_is_compared_and_the_reason_is_said(equipped: Path) -> None:
    found = check_numbers(with_golden(equipped, RIGHT))
    assert found.failure is None
    assert "no NVIDIA driver" in str(found.left_out)


@pytest.mark.parametrize(("embeddings", "wrong"), [(RIGHT, None), (RIGHT[:, ::-1], "cosine similarity")])
def test_numbers_are_held_against_the_golden_vectors(
    equipped: Path, monkeypatch: pytest.MonkeyPatch, embeddings: np.ndarray, wrong: str | None
) -> None:
    """Without a GPU, ONNX Runtime takes the engines' place."""
    bundle = with_golden(equipped, np.ascontiguousarray(embeddings))
    engines: dict[str, Engine] = {graph: open_engine(bundle, graph, "cpu") for graph in bundle.manifest.graphs}
    monkeypatch.setattr(numbers, "find_gpu", lambda: None)
    monkeypatch.setattr(numbers, "open_engine", lambda bundle, graph, backend: engines[graph])
    found = check_numbers(bundle)
    assert found.left_out is None
    assert (found.failure is None) if wrong is None else (wrong in str(found.failure))


def test_a_bundle_without_golden_vectors_says_so(equipped: Path) -> None:
    assert "no golden vectors" in str(check_numbers(Bundle.open(equipped)).left_out)


def test_a_bundle_without_engines_says_so(equipped: Path) -> None:
    with_engines(equipped, read_manifest(equipped), {}).write(equipped)
    assert "no engines" in str(check_numbers(with_golden(equipped, RIGHT)).left_out)
