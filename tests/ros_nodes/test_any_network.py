"""The nodes give each sense what is on the topic of its name, whatever the bundle calls it."""

import math

import numpy as np
from ros_samples import image
from small_networks import FUSION_OF_TWO, IMU_HZ, add_golden, golden_vectors, imu, write_bundle
from small_networks import image as camera

from edgefuse.runtime import DEFAULT_CLIP


def test_two_cameras_one_of_them_on_board(ros, tmp_path):
    from sensor_msgs.msg import Image

    from edgefuse_msgs.msg import Percept

    cameras = [camera("front_camera"), camera("rear_camera")]
    bundle = write_bundle(tmp_path / "bundle", cameras, FUSION_OF_TWO.format("front_camera", "rear_camera"))
    percepts = ros.hear(Percept, "percepts")
    ros.start("onboard_node", autostart=True, bundle=bundle, camera__clip=DEFAULT_CLIP)
    rear = ros.node.create_publisher(Image, "rear_camera", 1)

    def both_are_seen() -> bool:
        rear.publish(image(ros.node.get_clock().now().to_msg()))
        return bool(percepts) and [sense.valid for sense in percepts[-1].senses] == [True, True]

    ros.until(both_are_seen, "percepts of both cameras")
    last = percepts[-1]
    assert [sense.name for sense in last.senses] == ["front_camera", "rear_camera"]
    assert list(last.labels) == ["red", "green", "blue"]
    assert list(last.embedding) == []
    assert math.isnan(last.senses[0].weight)


def test_an_inertial_sensor_without_text_and_fixed_classes(ros, tmp_path):
    from edgefuse_msgs.msg import Percept, Signal
    from edgefuse_msgs.srv import SetPrompts

    bundle = write_bundle(tmp_path / "bundle", [camera("eye"), imu("motion")], FUSION_OF_TWO.format("eye", "motion"))
    percepts = ros.hear(Percept, "percepts")
    name = ros.start("perception_node", autostart=True, bundle=add_golden(bundle, golden_vectors(bundle)))
    motion = ros.node.create_publisher(Signal, "motion", 10)
    index = 0

    def felt() -> bool:
        nonlocal index
        message = Signal(sample_rate=IMU_HZ, channels=3, index=index, data=np.tile([0.0, 0.0, 1.0], 20).tolist())
        message.header.stamp = ros.node.get_clock().now().to_msg()
        message.header.stamp.sec -= 1
        motion.publish(message)
        index += 20
        return bool(percepts)

    ros.until(felt, "percepts of motion")
    assert percepts[-1].label == "blue"
    answer = ros.call(SetPrompts, f"{name}/set_prompts", SetPrompts.Request(prompts=["a red ball"]))
    assert not answer.success
    assert "classes of bundle 'colours' are fixed" in answer.message
