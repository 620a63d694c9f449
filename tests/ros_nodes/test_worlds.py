"""Two robots on one network, and time that is simulated."""

import numpy as np
from ros_samples import CAMERA, image, sound

from edgefuse.runtime import DEFAULT_CLIP


def test_two_stacks_in_two_domains_do_not_mix(ros, other_ros):
    from edgefuse_msgs.msg import Percept

    percepts, others = ros.hear(Percept, "percepts"), other_ros.hear(Percept, "percepts")
    ros.start("perception_node", autostart=True)
    other_ros.start("perception_node", autostart=True)
    ros.start(*CAMERA, clip=DEFAULT_CLIP)
    ros.until(lambda: len(percepts) > 30, "percepts")
    assert percepts[-1].header.frame_id == "camera_optical_frame", "that of the images, REP-103"
    other_ros.spin(0.5)
    assert others == []
    assert {name for name, _ in other_ros.node.get_node_names_and_namespaces()} == {"perception", "test"}


def test_two_robots_in_one_domain_have_a_namespace_each(ros):
    from edgefuse_msgs.msg import Percept

    percepts, others = ros.hear(Percept, "/a/percepts"), ros.hear(Percept, "/b/percepts")
    ros.start("perception_node", "-r", "__ns:=/a", name="first", autostart=True)
    ros.start("perception_node", "-r", "__ns:=/b", name="second", autostart=True)
    ros.start("camera_node", "-r", "image_raw:=/a/image", clip=DEFAULT_CLIP)
    ros.until(lambda: len(percepts) > 30, "percepts")
    assert others == []


def test_simulated_time_that_begins_again_makes_it_neither_blind_nor_deaf(ros):
    from builtin_interfaces.msg import Time
    from rclpy.qos import qos_profile_sensor_data
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Image

    from edgefuse_msgs.msg import AudioChunk, Percept

    percepts = ros.hear(Percept, "percepts")
    clock = ros.node.create_publisher(Clock, "/clock", 10)
    images = ros.node.create_publisher(Image, "image", qos_profile_sensor_data)
    sounds = ros.node.create_publisher(AudioChunk, "audio", 500)
    ros.start("perception_node", autostart=True, use_sim_time=True)
    publishers = (images, clock, sounds)
    ros.until(lambda: all(each.get_subscription_count() for each in publishers), "subscriptions")

    def play(first_s: int) -> None:
        percepts.clear()
        for step in range(60):
            stamp = Time(sec=first_s + step // 20, nanosec=step % 20 * 50_000_000)
            clock.publish(Clock(clock=stamp))
            ros.spin(0.01)
            sounds.publish(sound(stamp, 800 * step, np.zeros(800)))
            images.publish(image(stamp))
            ros.spin(0.05)
        assert any(percept.senses[1].valid for percept in percepts), "sound"
        assert any(first_s <= percept.header.stamp.sec <= first_s + 3 for percept in percepts)
        assert max(percept.trace.latency_ms for percept in percepts) < 1000

    clock.publish(Clock(clock=Time(sec=2000)))  # as a player does that waits before it plays
    ros.spin(0.5)
    play(1000)
    play(500)


def test_a_bag_that_loops_without_a_clock_does_not_stop_it(ros):
    """The stamps of its headers go back, ROS time does not."""
    from builtin_interfaces.msg import Time
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    from edgefuse_msgs.msg import AudioChunk, Percept

    percepts = ros.hear(Percept, "percepts")
    images = ros.node.create_publisher(Image, "image", qos_profile_sensor_data)
    sounds = ros.node.create_publisher(AudioChunk, "audio", 100)
    ros.start("perception_node", autostart=True)
    ros.until(lambda: images.get_subscription_count() and sounds.get_subscription_count(), "subscriptions")

    def play() -> None:
        percepts.clear()
        for step in range(100):
            stamp = Time(sec=1000 + step // 50, nanosec=step % 50 * 20_000_000)
            sounds.publish(sound(stamp, index=320 * step))
            if step % 2:
                images.publish(image(stamp))
            ros.spin(0.02)
        ros.until(lambda: percepts and percepts[-1].senses[1].valid, "percepts with sound")
        assert len(percepts) > 20, "of 50 images"

    play()
    play()
