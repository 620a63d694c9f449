"""Messages of packages that a robot may have besides: vision_msgs, and either of the two called audio_common_msgs.

No wheel brings them; with a ROS 2 workspace sourced that holds them, these tests run for real.
"""

from __future__ import annotations

import array
import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest
from ros_domain import Ros, statuses
from ros_samples import CAMERA, image

from edgefuse.runtime import DEFAULT_CLIP, Clip

RATE_HZ = 16_000
STAMPED, PLAIN, OTHER = (f"audio_common_msgs/msg/{name}" for name in ("AudioDataStamped", "AudioData", "AudioStamped"))


def installed(type_name: str) -> type:
    package, _, kind = type_name.split("/")
    messages = pytest.importorskip(f"{package}.msg", reason=f"{package} is not installed, and no wheel brings it")
    if not hasattr(messages, kind):
        pytest.skip(f"the {package} that is installed has no {kind}: it is the other package of that name")
    return getattr(messages, kind)


def phrase() -> np.ndarray:
    """What the clip says when it says "blue cone": int16, 2 s."""
    clip = Clip(None, DEFAULT_CLIP.with_suffix(".wav"), rate_hz=RATE_HZ, live=False)
    pcm = np.concatenate([chunk.pcm for chunk in clip])
    return (pcm[round(8.2 * RATE_HZ) : round(10.2 * RATE_HZ)] * 32767).astype("<i2")


def spoken(ros: Ros) -> Iterator[tuple]:
    """The phrase in real time: 100 blocks of 20 ms, each when it is whole, with the stamp of its first sample."""
    from rclpy.duration import Duration

    begin = ros.node.get_clock().now()
    for n, pcm in enumerate(np.split(phrase(), 100)):
        whole = begin + Duration(seconds=(n + 1) * 0.02)
        ros.spin(max(0.0, (whole - ros.node.get_clock().now()).nanoseconds / 1e9))
        yield (begin + Duration(seconds=n * 0.02)).to_msg(), pcm


def info(**changed: object):
    form = {"channels": 1, "sample_rate": RATE_HZ, "sample_format": "S16LE", "coding_format": "wave"}
    return installed("audio_common_msgs/msg/AudioInfo")(**(form | changed))


def heard(ros: Ros, images: object, percepts: list) -> str:
    """What the sound alone says in the percept of an image that is sent now; empty where there is no sound."""
    percepts.clear()
    images.publish(image(ros.node.get_clock().now().to_msg()))
    ros.until(lambda: percepts, "a percept")
    return percepts[-1].senses[1].label


def start(ros: Ros, type_name: str, topics: dict[str, type], qos: object) -> tuple[list, list]:
    """A perception node that takes sound of this type: its percepts, and publishers of images and of each topic."""
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    from edgefuse_msgs.msg import Percept

    percepts = ros.hear(Percept, "percepts")
    name = ros.start("perception_node", autostart=True, audio_type=type_name)
    publishers = [ros.node.create_publisher(Image, "image", qos_profile_sensor_data)]
    publishers += [ros.node.create_publisher(kind, topic, qos) for topic, kind in topics.items()]
    ros.until(lambda: all(p.get_subscription_count() for p in publishers), f"subscriptions; {ros.log(name)}")
    return percepts, publishers


@pytest.mark.parametrize("type_name", [STAMPED, PLAIN])
def test_sound_of_ros_drivers_is_heard_once_its_info_says_how_it_is_encoded(ros, type_name):
    from diagnostic_msgs.msg import DiagnosticArray

    installed(STAMPED)  # the other package has an AudioData of its own
    kind, data = installed(type_name), installed(PLAIN)
    percepts, (images, sounds, infos) = start(ros, type_name, {"audio": kind, "audio_info": type(info())}, 500)
    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")

    def say() -> None:
        for stamp, pcm in spoken(ros):
            message = data(data=array.array("B", pcm.tobytes()))
            if kind is not data:
                message = kind(audio=message)
                message.header.stamp = stamp
            sounds.publish(message)

    say()
    assert heard(ros, images, percepts) == ""
    refused = lambda: statuses(diagnostics)["perception: audio"].values  # noqa: E731
    ros.until(lambda: ("refused: malformed", "100") in [(p.key, p.value) for p in refused()], "100 refusals")
    infos.publish(info(coding_format="mp3"))
    ros.until(lambda: "coded as 'mp3'; expected wave" in ros.log("perception"), "the reason")
    infos.publish(info())

    def hears() -> bool:
        say()
        return heard(ros, images, percepts) == "blue cone"

    ros.until(hears, "the phrase, which is said again where the info came after its beginning")


def test_sound_that_carries_its_format_is_heard_from_a_driver_that_is_best_effort(ros):
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    kind = installed(OTHER)
    qos = QoSProfile(depth=500, reliability=ReliabilityPolicy.BEST_EFFORT)
    percepts, (images, sounds) = start(ros, OTHER, {"audio": kind}, qos)
    for stamp, pcm in spoken(ros):
        message = kind()
        message.header.stamp = stamp
        message.audio.info.channels, message.audio.info.rate = 1, RATE_HZ
        message.audio.audio_data.int16_data = array.array("h", pcm.tobytes())
        sounds.publish(message)
    assert heard(ros, images, percepts) == "blue cone"


def test_every_percept_is_a_classification_too(ros):
    from edgefuse_msgs.msg import Percept

    classification = installed("vision_msgs/msg/Classification")
    percepts, classified = ros.hear(Percept, "percepts"), ros.hear(classification, "classification")
    ros.start("perception_node", autostart=True)
    ros.start(*CAMERA, clip=DEFAULT_CLIP)
    ros.until(lambda: len(classified) > 30 and len(percepts) > 30, "percepts and classifications")
    by_stamp = {str(percept.header): percept for percept in percepts}
    both = [(by_stamp[str(each.header)], each) for each in classified if str(each.header) in by_stamp]
    assert len(both) > 25
    for percept, each in both:
        assert [result.class_id for result in each.results] == list(percept.labels)
        assert [result.score for result in each.results] == pytest.approx(list(percept.scores))


def test_without_vision_msgs_there_is_no_such_topic(ros):
    if importlib.util.find_spec("vision_msgs"):
        pytest.skip("vision_msgs is installed")
    ros.start("perception_node", autostart=True)
    ros.until(lambda: "/percepts" in dict(ros.node.get_topic_names_and_types()), "percepts")
    assert "/classification" not in dict(ros.node.get_topic_names_and_types())


def test_a_type_that_is_not_installed_is_named(ros):
    spec = importlib.util.find_spec("audio_common_msgs")
    absent = STAMPED if spec is None or hasattr(pytest.importorskip("audio_common_msgs.msg"), "AudioStamped") else OTHER
    name = ros.start("perception_node", autostart=True, audio_type=absent)
    ros.until(lambda: "cannot configure" in ros.log(name), "a refusal")
    assert ros.state(name) == "unconfigured"
    assert f"audio_type: '{absent}' is no message type that is installed" in ros.log(name)
