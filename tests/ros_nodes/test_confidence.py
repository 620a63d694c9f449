"""Percepts on the topic say whether they are certain, as was measured; /diagnostics says how far the senses drift."""

from __future__ import annotations

import numpy as np
import pytest
from calibrated import bundle_with, confidence, familiar_frames
from ros_domain import statuses
from ros_samples import CAMERA

from edgefuse.runtime import DEFAULT_CLIP
from edgefuse.runtime.corrections.confidence import write_confidence


def test_percepts_say_whether_they_are_certain(ros, tmp_path):
    from edgefuse_msgs.msg import Percept

    percepts = ros.hear(Percept, "percepts")
    write_confidence(tmp_path / "sure.json", confidence("image", threshold=0.0))
    write_confidence(tmp_path / "unsure.json", confidence("image", threshold=None))
    perception = ros.start("perception_node", autostart=True, confidence=tmp_path / "unsure.json")
    ros.start(*CAMERA, clip=DEFAULT_CLIP)
    ros.until(lambda: any(one.calibrated and not one.certain for one in percepts), "percepts that are not certain")
    assert not any(one.certain for one in percepts)
    assert ros.set(perception, confidence=str(tmp_path / "sure.json")) is None
    ros.until(lambda: any(one.calibrated and one.certain for one in percepts), "percepts that are certain")
    assert "nowhere.json: No such file" in ros.set(perception, confidence=str(tmp_path / "nowhere.json"))


def test_a_drift_is_a_warning(ros, tmp_path):
    """The bundle says that it was made for one grey table, and is shown others."""
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

    grey = np.random.default_rng(0).normal(60, 2, (40, 96, 128, 3)).clip(0, 255).astype(np.uint8)
    bundle = bundle_with(tmp_path / "bundle", familiar=familiar_frames(grey))
    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    perception = ros.start("perception_node", autostart=True, bundle=bundle)
    ros.start(*CAMERA, clip=DEFAULT_CLIP)

    def seen() -> DiagnosticStatus | None:
        return statuses(diagnostics).get("perception: image")

    ros.until(lambda: (one := seen()) is not None and "drift" in one.message, "a warning of a drift")
    assert seen().level == DiagnosticStatus.WARN
    assert float({pair.key: pair.value for pair in seen().values}["drift [sd]"]) > 3
    assert ros.set(perception, **{"limits.drift_warn": 1e6}) is None
    diagnostics.clear()
    ros.until(lambda: (one := seen()) is not None and "drift" not in one.message, "no warning")


@pytest.mark.usefixtures("ros_installed")
def test_a_percept_that_is_not_calibrated_says_so():
    from edgefuse_msgs.msg import Percept

    assert (Percept().calibrated, Percept().certain) == (False, False)


def test_a_file_that_is_no_calibration_is_told_in_a_line(ros, tmp_path):
    (tmp_path / "cut.json").write_text("{")
    assert not ros.change(ros.start("perception_node", confidence=tmp_path / "cut.json"), "configure")
