"""Devices and perceiver in one process."""

from ros_domain import statuses

from edgefuse.runtime import DEFAULT_CLIP


def test_the_onboard_node_perceives_and_no_image_crosses_a_topic(ros):
    from diagnostic_msgs.msg import DiagnosticArray
    from std_msgs.msg import String

    from edgefuse_msgs.msg import Percept

    percepts, diagnostics = ros.hear(Percept, "percepts"), ros.hear(DiagnosticArray, "/diagnostics")
    clip = {"camera__clip": DEFAULT_CLIP, "microphone__clip": DEFAULT_CLIP.with_suffix(".wav")}
    name = ros.start("onboard_node", autostart=True, **clip)
    ros.until(lambda: percepts and all(sense.valid for sense in percepts[-1].senses[:2]), "percepts of both senses")
    age_s = ros.node.get_clock().now().nanoseconds / 1e9 - percepts[-1].header.stamp.sec
    assert -0.1 < age_s < 60, "stamped in ROS time"
    assert percepts[-1].header.frame_id == "camera_optical_frame"
    topics = {topic for topic, types in ros.node.get_topic_names_and_types() if "sensor_msgs/msg/Image" in types}
    assert topics == {"/debug_image"}, "which nobody subscribes"
    ros.until(lambda: "onboard: image device" in statuses(diagnostics), "diagnostics")
    ros.until(lambda: statuses(diagnostics)["onboard: image device"].message == "live", "a live camera")
    texts = ros.node.create_publisher(String, "text", 10)
    ros.until(texts.get_subscription_count, "a subscription of text")
    texts.publish(String(data="a red ball"))
    ros.until(lambda: percepts[-1].senses[2].valid, "text")
    assert ros.set(name, prompts=["a red ball"]) is None
    ros.until(lambda: list(percepts[-1].labels) == ["a red ball", "nothing"], "the new prompts")


def test_a_camera_that_is_not_there_is_waited_for_and_the_microphone_is_heard(ros):
    from diagnostic_msgs.msg import DiagnosticArray

    from edgefuse_msgs.msg import Percept

    percepts, diagnostics = ros.hear(Percept, "percepts"), ros.hear(DiagnosticArray, "/diagnostics")
    sound = DEFAULT_CLIP.with_suffix(".wav")
    ros.start("onboard_node", autostart=True, camera__device="'/dev/video99'", microphone__clip=sound)
    ros.until(lambda: percepts and percepts[-1].senses[1].valid, "percepts of sound alone")
    name = "onboard: image device"
    ros.until(lambda: name in statuses(diagnostics) and statuses(diagnostics)[name].level == b"\x02", "an ERROR")
    assert statuses(diagnostics)[name].message.startswith("lost")
    assert "/dev/video99" in statuses(diagnostics)[name].message
