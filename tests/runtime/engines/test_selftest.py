"""A bundle's golden vectors are replayed when it is loaded, and a bundle that fails them does not start."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sealed import edit
from small_networks import FUSION_OF_TWO, WHOLE, add_golden, golden_vectors, image, imu, write_bundle

from edgefuse.runtime import DEFAULT_BUNDLE, BundleError, Frame, Perceiver


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Without golden vectors."""
    return write_bundle(tmp_path / "bundle", [image(), imu()], FUSION_OF_TWO.format("image", "imu"))


def refused(bundle: Path) -> str:
    """The line that loading it gives."""
    with pytest.raises(BundleError) as error:
        Perceiver.open(bundle)
    assert "\n" not in str(error.value)
    assert Perceiver.open(bundle, selftest=False).labels == ("red", "green", "blue")
    return str(error.value)


def test_a_bundle_that_does_what_it_did_starts(bundle):
    perceiver = Perceiver.open(add_golden(bundle, golden_vectors(bundle)))
    perceiver.push(Frame(0, np.full((8, 8, 3), 7, np.uint8)))
    assert perceiver.step() is not None


def test_so_does_the_default_one_with_prompts_and_text(tmp_path):
    bundle = shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    add_golden(bundle, golden_vectors(bundle))
    assert Perceiver.open(bundle, prompts=["a red ball"]).labels == ("a red ball", "nothing")


def test_so_does_a_network_in_one_piece(tmp_path):
    bundle = write_bundle(tmp_path / "bundle", [image(graph=False), imu(graph=False)], WHOLE)
    assert Perceiver.open(add_golden(bundle, golden_vectors(bundle))).senses == ("image", "imu")


def test_an_output_that_points_elsewhere_is_named(bundle):
    vectors = golden_vectors(bundle)
    vectors["imu/outputs/embedding"][1] *= -1
    line = refused(add_golden(bundle, vectors))
    assert f"{bundle} failed its self-test: graph imu, output embedding on onnxruntime-cpu: " in line
    assert "its cosine similarity with PyTorch's is -1.0000, expected 0.99 or more" in line
    assert "export it again for this machine, choose another --backend, or go on with --no-selftest" in line


def test_an_output_that_is_too_far_away_is_named(bundle):
    vectors = golden_vectors(bundle)
    vectors["fusion/outputs/scores"][0, 0] += 0.5
    add_golden(bundle, vectors)
    edit(bundle, lambda manifest: manifest["golden"]["bounds"][-1].update(cosine=None, difference=0.1))
    assert "graph fusion, output scores on onnxruntime-cpu: it differs by 0.5 from PyTorch's, expected 0.1" in refused(
        bundle
    )


@pytest.mark.parametrize("bound", ["cosine", "difference"])
def test_an_engine_that_gives_nan_is_refused(bundle, bound):
    vectors = golden_vectors(bundle)
    vectors["imu/inputs/window"][1, 3, 2] = np.nan
    add_golden(bundle, vectors)
    only = {"cosine": None, "difference": None, bound: 0.9}
    edit(bundle, lambda manifest: [one.update(only) for one in manifest["golden"]["bounds"]])
    assert "graph imu, output tokens on onnxruntime-cpu: it holds NaN or infinity" in refused(bundle)


def test_expected_values_that_are_nan_are_refused(bundle):
    vectors = golden_vectors(bundle)
    vectors["fusion/outputs/scores"][0] = np.nan
    assert "its cosine similarity with PyTorch's is nan" in refused(add_golden(bundle, vectors))


def test_graphs_that_are_not_used_are_not_replayed(bundle):
    vectors = golden_vectors(bundle)
    vectors["imu/outputs/embedding"][1] *= -1
    add_golden(bundle, vectors)
    assert Perceiver.open(bundle, senses=["image"]).senses == ("image",)


def test_the_command_line_refuses_it_in_one_line_or_goes_on_when_told_to(bundle):
    vectors = golden_vectors(bundle)
    vectors["imu/outputs/embedding"][1] *= -1
    add_golden(bundle, vectors)
    command = [sys.executable, "-m", "edgefuse", "run", "--fast", "--bundle", str(bundle)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert result.stderr.startswith(f"edgefuse: {bundle} failed its self-test: graph imu, output embedding")
    assert len(result.stderr.splitlines()) == 1
    result = subprocess.run([*command, "--no-selftest"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "percepts at 30.0 Hz" in result.stdout


def altered(**changes: np.ndarray | None):
    """A change of golden vectors by key, `/` written as `__`; None takes one away."""
    return lambda vectors: {key: changes.get(key.replace("/", "__"), array) for key, array in vectors.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (altered(fusion__outputs__scores=None), "it has no array fusion/outputs/scores"),
        (altered(imu__inputs__window=None), "it has no array imu/inputs/window"),
        (altered(imu__inputs__window=np.zeros((2, 20, 3))), "imu/inputs/window is float64 [2, 20, 3], expected"),
        (altered(imu__inputs__window=np.zeros((2, 9, 3), np.float32)), "is float32 [2, 9, 3], expected float32"),
        (altered(imu__inputs__window=np.zeros(3, np.float32)), "is float32 [3], expected float32"),
        (altered(imu__inputs__window=np.zeros((3, 20, 3), np.float32)), "the arrays of imu have [2, 3] samples"),
        (altered(imu__inputs__window=np.array([None, "a"])), "holds object, no numbers"),
    ],
)
def test_a_golden_file_that_does_not_hold_what_the_graphs_take(bundle, change, said):
    vectors = golden_vectors(bundle)
    add_golden(bundle, vectors)
    kept = {key: array for key, array in change(vectors).items() if array is not None}
    np.savez(bundle / "golden.npz", **kept)
    edit(bundle, lambda manifest: None)
    line = refused(bundle)
    assert f"{bundle / 'golden.npz'} " in line
    assert said in line


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damaged(content: bytes) -> bytes:
    return content[:60] + bytes(len(content) // 2) + content[60 + len(content) // 2 :]


@pytest.mark.parametrize("damage", [cut, damaged, lambda content: b"", lambda content: b"no archive"])
def test_a_golden_file_that_is_cut_off_or_damaged(bundle, damage):
    add_golden(bundle, golden_vectors(bundle))
    path = bundle / "golden.npz"
    path.write_bytes(damage(path.read_bytes()))
    edit(bundle, lambda manifest: None)
    assert "golden.npz is no archive of arrays that can be used" in refused(bundle)


def test_a_golden_file_that_is_one_array(bundle):
    add_golden(bundle, golden_vectors(bundle))
    with (bundle / "golden.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    edit(bundle, lambda manifest: None)
    assert "golden.npz is no archive of arrays that can be used" in refused(bundle)


@pytest.mark.parametrize("bound", [{"graph": "sonar"}, {"output": "logits"}])
def test_bounds_of_what_is_not_there(bundle, bound):
    add_golden(bundle, golden_vectors(bundle))
    edit(bundle, lambda manifest: manifest["golden"]["bounds"][0].update(bound))
    with pytest.raises(BundleError, match=r"golden: no graph '.*' of the bundle has an output '.*'"):
        Perceiver.open(bundle)
