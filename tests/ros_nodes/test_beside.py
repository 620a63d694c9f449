"""What people ask of an active node while it perceives: to load, to rest, to show what it sees."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from calibrated import confidence
from ros_domain import statuses
from ros_samples import CAMERA
from sealed import edit

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP
from edgefuse.runtime.corrections.confidence import write_confidence


@pytest.fixture
def percepts(ros):
    """Those of a node that perceives the clip."""
    from edgefuse_msgs.msg import Percept

    heard = ros.hear(Percept, "percepts")
    ros.start("perception_node", autostart=True)
    ros.start(*CAMERA, clip=DEFAULT_CLIP)
    ros.until(lambda: len(heard) > 10, "percepts")
    return heard


def more(ros, percepts) -> None:
    """Wait until there are new ones."""
    percepts.clear()
    ros.until(lambda: len(percepts) > 10, "more percepts")


def test_percepts_and_services_go_on_while_another_perceiver_is_opened(ros, percepts, tmp_path):
    """The bundle of the new one has so many golden vectors that replaying them takes seconds."""
    from rcl_interfaces.srv import GetParameters, SetParameters
    from rclpy.parameter import Parameter

    bundle = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    vectors = np.load(bundle / "golden.npz")
    np.savez(bundle / "golden.npz", **{name: many(name, vectors[name]) for name in vectors.files})
    edit(bundle, lambda manifest: None)
    write_confidence(tmp_path / "measured.json", confidence("image", threshold=None))
    changes = {"bundle": str(bundle), "confidence": str(tmp_path / "measured.json")}
    client = ros.node.create_client(SetParameters, "perception/set_parameters")
    ros.until(client.service_is_ready, "the service")
    ros.until(lambda: any(percept.certain for percept in percepts), "certain percepts of the old one")
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in changes.items()]
    answer = client.call_async(SetParameters.Request(parameters=parameters[:1]))
    began = len(percepts)
    ros.call(GetParameters, "perception/get_parameters", GetParameters.Request(names=["bundle"]))
    assert ros.state("perception") == "active"
    ros.until(answer.done, "the new perceiver")
    assert answer.result().results[0].successful
    assert len(percepts) > began + 3, "percepts came while it was opened"
    answer = client.call_async(SetParameters.Request(parameters=parameters[1:]))
    ros.until(answer.done, "the new confidence")
    assert answer.result().results[0].successful
    more(ros, percepts)
    more(ros, percepts)
    assert not any(percept.certain for percept in percepts), "the new one is never certain"


def many(name: str, vectors: np.ndarray) -> np.ndarray:
    """Those of the image graph, as often as may be."""
    return np.repeat(vectors, 450, axis=0) if name.startswith("image/") else vectors


def test_a_node_that_is_disabled_rests_until_it_is_enabled(ros, percepts):
    from diagnostic_msgs.msg import DiagnosticArray
    from std_srvs.srv import SetBool

    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    assert ros.call(SetBool, "perception/enable", SetBool.Request(data=False)).success
    ros.until(lambda: (s := statuses(diagnostics).get("perception: perception")) and s.message == "disabled", "it said")
    percepts.clear()
    ros.spin(0.5)
    assert not percepts
    assert ros.state("perception") == "active"
    for _ in range(2):
        assert ros.call(SetBool, "perception/enable", SetBool.Request(data=True)).success
        more(ros, percepts)
    ros.call(SetBool, "perception/enable", SetBool.Request(data=False))
    assert ros.change("perception", "deactivate")
    assert ros.change("perception", "activate")
    percepts.clear()
    ros.spin(0.5)
    assert not percepts, "still disabled"


def test_what_went_wrong_before_is_not_told_of_a_node_that_was_enabled(ros):
    from std_srvs.srv import SetBool

    name = ros.start("perception_node", bundle="/nowhere")
    assert not ros.change(name, "configure")
    answer = ros.call(SetBool, f"{name}/enable", SetBool.Request(data=True))
    assert (answer.success, answer.message) == (True, "")


def test_frames_are_shown_with_what_was_perceived_while_somebody_looks(ros, percepts):
    from sensor_msgs.msg import Image

    plain = ros.hear(Image, "image", reliable=False)
    shown = ros.hear(Image, "debug_image")
    ros.until(lambda: len(shown) > 10 and len(plain) > 10, "frames")
    assert shown[-1].header.frame_id == "camera_optical_frame"
    by_stamp = {str(image.header.stamp): image for image in plain}
    pairs = [(by_stamp[str(image.header.stamp)], image) for image in shown if str(image.header.stamp) in by_stamp]
    assert pairs
    for before, after in pairs:
        assert (before.width, before.height, before.encoding) == (after.width, after.height, after.encoding)
        changed = np.frombuffer(before.data, np.uint8) != np.frombuffer(after.data, np.uint8)
        assert 0.001 < changed.mean() < 0.2, "text over a picture that is still seen"
