"""Calibrations mutated at random are refused in one line, or are of use: nothing that they say breaks a run."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml
from calibrated import confidence
from fuzzing import each_round, is_one_line, mutated, mutated_tree

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, Frame
from edgefuse.runtime.corrections.camera_info import read_camera_info
from edgefuse.runtime.corrections.confidence import judge, read_confidence
from edgefuse.runtime.corrections.sync import read_sync
from edgefuse.runtime.corrections.undistorter import Undistorter
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, plan_file, planned_way, this_machine, write_plan
from edgefuse.runtime.errors import EdgefuseError

SMALL = 320 * 240
DAY_NS = 86_400 * 10**9
SYNC = {
    "measured": {"at": "2031-05-06", "by": "edgefuse", "how": "claps"},
    "method": "events",
    "offset_ms": 40.0,
    "offset_sd_ms": 1.0,
    "at_s": 30.0,
    "drift_ppm": 50.0,
    "drift_sd_ppm": 2.0,
    "span_s": 60.0,
    "events": 20,
}
CAMERA = {
    "image_width": 320,
    "image_height": 240,
    "camera_matrix": {"rows": 3, "cols": 3, "data": [300, 0, 160, 0, 300, 120, 0, 0, 1]},
    "distortion_model": "plumb_bob",
    "distortion_coefficients": {"rows": 1, "cols": 5, "data": [-0.3, 0.1, 0, 0, 0]},
    "rectification_matrix": {"rows": 3, "cols": 3, "data": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
    "projection_matrix": {"rows": 3, "cols": 4, "data": [300, 0, 160, 0, 0, 300, 120, 0, 0, 0, 1, 0]},
}


def written(path: Path, tree: Any, random: Random) -> Path:
    """As JSON or YAML, of which the tree is mutated, or the text."""
    dump = yaml.safe_dump if path.suffix == ".yaml" else json.dumps
    of_tree = random.random() < 0.7
    text = dump(mutated_tree(tree, random) if of_tree else tree).encode()
    path.write_bytes(text if of_tree else mutated(text, random))
    return path


def use_sync(path: Path) -> None:
    sync = read_sync(path)
    for elapsed_ns in (-DAY_NS, 0, DAY_NS, 10_000 * DAY_NS):
        assert abs(sync.late_ns(elapsed_ns)) < 2**62


def use_camera(path: Path) -> None:
    info = read_camera_info(path)
    if info.image_width * info.image_height <= 4 * SMALL:
        undistorter = Undistorter(info)
        straight = undistorter.undistort(Frame(0, np.full((info.image_height, info.image_width, 3), 200, np.uint8)))
        assert straight.image.any()


def use_confidence(path: Path) -> None:
    subset = read_confidence(path, Bundle.open(DEFAULT_BUNDLE).manifest).subsets[0]
    for scores in ([0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [1 / 3] * 3):
        judged = judge(scores, subset)
        assert 0 <= judged.confidence <= 1
        assert sum(judged.scores) == pytest.approx(1)


USES = {
    "sync.json": (SYNC, use_sync),
    "camera.yaml": (CAMERA, use_camera),
    "confidence.json": (json.loads(confidence("image", "audio").model_dump_json()), use_confidence),
}


@pytest.mark.fuzz
@pytest.mark.parametrize("name", list(USES))
def test_a_calibration_that_was_mutated(tmp_path: Path, name: str) -> None:
    tree, use = USES[name]

    def check(random: Random) -> None:
        path, refused = written(tmp_path / name, tree, random), None
        try:
            use(path)
        except EdgefuseError as error:
            refused = error
        assert refused is None or is_one_line(refused)

    each_round(100, check)


@pytest.mark.fuzz
def test_a_plan_that_was_mutated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    sha256 = "0" * 64
    write_plan({sha256: OnnxRuntimeWay(threads=2)})
    path = plan_file()
    assert path is not None
    tree = json.loads(path.read_text())
    assert list(tree["machines"]) == [this_machine()]

    def check(random: Random) -> None:
        written(path, tree, random)
        way, refused = None, None
        try:
            way = planned_way(sha256)
        except EdgefuseError as error:
            refused = error
        assert refused is None or is_one_line(refused)
        assert way is None or 1 <= way.threads <= 1024

    each_round(200, check)
