"""The lifecycle of the perception node and of the onboard node, in every order, twice."""

import pytest
from ros_domain import statuses
from ros_samples import image

from edgefuse.runtime import DEFAULT_CLIP

LEGAL = {
    ("unconfigured", "configure"): "inactive",
    ("inactive", "activate"): "active",
    ("active", "deactivate"): "inactive",
    ("inactive", "cleanup"): "unconfigured",
}
TRANSITIONS = ("configure", "activate", "deactivate", "cleanup")


def walk() -> list[str]:
    """Every transition in every state, the illegal ones first."""
    steps = []
    for here, forward in (("unconfigured", "configure"), ("inactive", "activate"), ("active", "deactivate")):
        steps += [step for step in TRANSITIONS if (here, step) not in LEGAL] + [forward]
    return [*steps, "cleanup"]


@pytest.mark.parametrize("node", ["perception_node", "onboard_node"])
def test_every_order_of_transitions_twice(ros, node):
    clip = {"camera__clip": DEFAULT_CLIP, "microphone__clip": DEFAULT_CLIP.with_suffix(".wav")}
    name = ros.start(node, **(clip if node == "onboard_node" else {}))
    state = ros.state(name)
    for transition in walk() * 2:
        expected = LEGAL.get((state, transition))
        assert ros.change(name, transition) == (expected is not None), (state, transition)
        state = ros.state(name)
        assert expected in (None, state)
    assert state == "unconfigured"


def test_what_the_two_nodes_have_in_common_is_no_node_by_itself(ros_installed):
    from edgefuse_ros.lifecycle import PerceivingNode
    from edgefuse_ros.settings import PerceptionSettings

    with pytest.raises(TypeError, match=r"abstract class PerceivingNode .*ros_ns.*sources"):
        PerceivingNode("bare", PerceptionSettings)


def test_transitions_under_load_and_what_they_free(ros):
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    from edgefuse_msgs.msg import Percept

    percepts = ros.hear(Percept, "percepts")
    images = ros.node.create_publisher(Image, "image", qos_profile_sensor_data)
    ros.node.create_timer(
        1 / 60, lambda: images.publish(image(ros.node.get_clock().now().to_msg(), width=640, height=480))
    )
    name = ros.start("perception_node")
    for _ in range(2):
        assert ros.change(name, "configure")
        assert ros.change(name, "activate")
        percepts.clear()
        ros.until(lambda: len(percepts) > 20, "percepts")
        assert ros.change(name, "deactivate")
        ros.spin(0.3)
        percepts.clear()
        before_s = ros.cpu_s(name)
        ros.spin(1.0)
        assert percepts == []
        assert ros.cpu_s(name) - before_s < 0.1, "an inactive node leaves the CPU alone"
        loaded_mb = ros.memory_mb(name)
        assert ros.change(name, "cleanup")
    assert ros.memory_mb(name) < loaded_mb
    assert ros.change(name, "shutdown") or ros.state(name) == "finalized"


def test_a_bundle_that_is_bad_leaves_it_unconfigured_and_says_why(ros):
    name = ros.start("perception_node", autostart=True, bundle="/nowhere")
    ros.until(lambda: "cannot configure" in ros.log(name), "a refusal")
    assert ros.state(name) == "unconfigured"
    assert "/nowhere: no such bundle" in ros.log(name)
    assert ros.set(name, bundle="") is None
    assert ros.change(name, "configure")
    assert ros.change(name, "activate")


def test_activated_again_it_hears_all_that_the_new_microphone_sends(ros):
    from diagnostic_msgs.msg import DiagnosticArray

    from edgefuse_msgs.msg import Percept

    percepts, diagnostics = ros.hear(Percept, "percepts"), ros.hear(DiagnosticArray, "/diagnostics")
    clip = {"camera__clip": DEFAULT_CLIP, "microphone__clip": DEFAULT_CLIP.with_suffix(".wav")}
    name = ros.start("onboard_node", **clip)
    assert ros.change(name, "configure")
    for _ in range(2):
        assert ros.change(name, "activate")
        percepts.clear()
        diagnostics.clear()
        ros.until(lambda: len(percepts) > 90 and percepts[-1].senses[1].valid, "percepts with sound")
        ros.until(lambda: "onboard: audio" in statuses(diagnostics), "diagnostics")
        dropped = {value.key for value in statuses(diagnostics)["onboard: audio"].values if "dropped" in value.key}
        assert dropped <= {"dropped: overtaken", "dropped: gap"}, "no sample of sound is refused"
        assert ros.change(name, "deactivate")


def test_each_step_is_one_line_that_says_what_was_taken(ros):
    name = ros.start("perception_node")
    ros.until(lambda: "waits to be configured: `ros2 lifecycle set /perception configure`" in ros.log(name), "a hint")
    assert ros.change(name, "configure")
    assert "senses image, audio, text; labels red ball," in ros.log(name)
    assert ros.change(name, "activate")
    (active,) = [line for line in ros.log(name).splitlines() if "active: " in line]
    assert "image from /image (Image; best_effort" in active
    assert "audio from /audio (AudioChunk; reliable" in active


@pytest.mark.parametrize("node", ["perception_node", "onboard_node", "camera_node"])
def test_told_to_end_again_and_again_it_ends_well(ros, node):
    clip = {"camera__clip": DEFAULT_CLIP, "microphone__clip": DEFAULT_CLIP.with_suffix(".wav"), "autostart": True}
    parameters = {"onboard_node": clip, "perception_node": {"autostart": True}, "camera_node": {"clip": DEFAULT_CLIP}}
    name = ros.start(node, **parameters[node])
    assert ros.interrupt_often(name) == 0, ros.log(name)
    assert "Traceback" not in ros.log(name)
