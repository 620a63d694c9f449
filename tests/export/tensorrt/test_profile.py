"""The sizes that engines take."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.profile import profile_of, sizes_from
from edgefuse.runtime.bundle.manifest import Manifest, TensorSpec, read_manifest


def with_input(manifest: Manifest, tensor: TensorSpec) -> Manifest:
    fusion = manifest.fusion.model_copy(update={"inputs": (*manifest.fusion.inputs, tensor)})
    return manifest.model_copy(update={"fusion": fusion})


def test_sizes_are_read_in_full_or_as_the_largest_alone() -> None:
    assert sizes_from(["height=120,480,720", "batch=16"]) == {"height": (120, 480, 720), "batch": (1, 1, 16)}


@pytest.mark.parametrize("option", ["height", "height=", "height=1,2", "height=9,8,7", "height=a,b,c", "batch=0"])
def test_sizes_that_make_no_sense_are_refused(option: str) -> None:
    with pytest.raises(ExportError, match=r"expected NAME=SMALLEST,USUAL,LARGEST"):
        sizes_from([option])


def test_what_is_asked_for_comes_before_the_usual(plain_bundle: Path) -> None:
    profile = profile_of("image", read_manifest(plain_bundle), {"height": (100, 200, 300), "batch": (1, 2, 3)})
    assert profile == {"frame": ((1, 100, 32, 3), (2, 200, 640, 3), (3, 300, 1920, 3))}


def test_a_dimension_of_unknown_size_names_itself_and_the_option(plain_bundle: Path) -> None:
    imu = TensorSpec(name="imu", dtype="float32", shape=("batch", "motions", 3))
    manifest = with_input(read_manifest(plain_bundle), imu)
    with pytest.raises(ExportError, match=r"input imu varies in 'motions'.*--size motions=1,8,64"):
        profile_of("fusion", manifest, {})
    assert profile_of("fusion", manifest, {"motions": (1, 2, 4)})["imu"] == ((1, 1, 3), (1, 2, 3), (8, 4, 3))


def test_a_senses_own_height_is_a_height(plain_bundle: Path) -> None:
    wrist = TensorSpec(name="wrist", dtype="uint8", shape=("batch", "wrist_height", "wrist_width", 3))
    profile = profile_of("fusion", with_input(read_manifest(plain_bundle), wrist), {"wrist_width": (8, 8, 8)})
    assert profile["wrist"] == ((1, 32, 8, 3), (1, 480, 8, 3), (8, 1080, 8, 3))
