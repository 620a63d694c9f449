"""Samples and percepts to messages and back."""

import array
import math
import time

import numpy as np
import pytest
from ros_samples import image

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    AudioChunk,
    Frame,
    Perceiver,
    Percept,
    SampleError,
    Sense,
    StreamError,
    Trace,
)
from edgefuse.runtime.messages.ros_images import frame_from_image
from edgefuse.runtime.messages.ros_messages import audio_chunk_from_chunk, percept_from_percept
from edgefuse.runtime.messages.ros_sounds import sound_from_audio_chunk

pytestmark = pytest.mark.usefixtures("ros_installed")
STAMP_NS = 1_700_000_000_123_456_789


def stamp():
    from edgefuse_ros.conversions import time_from_stamp

    return time_from_stamp(STAMP_NS)


def test_a_stamp_survives_to_the_nanosecond():
    from edgefuse_ros.conversions import stamp_ns_from_message

    assert stamp_ns_from_message(image(stamp()), 0) == STAMP_NS


def test_a_message_without_a_stamp_was_sensed_now():
    from builtin_interfaces.msg import Time
    from std_msgs.msg import String

    from edgefuse_ros.conversions import stamp_ns_from_message

    assert stamp_ns_from_message(String(), 42) == 42
    assert stamp_ns_from_message(image(Time()), 42) == 42


def test_a_frame_survives():
    from edgefuse_ros.conversions import image_from_frame

    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    message = image_from_frame(Frame(STAMP_NS - 5, picture, "bgr8", frame_id="head"), 5)
    assert (message.header.frame_id, message.step) == ("head", 1920)
    back = frame_from_image(message, STAMP_NS, "image")
    assert (back.encoding, back.frame_id) == ("bgr8", "head")
    assert np.array_equal(back.image, picture)


def test_an_image_is_filled_by_copying_not_by_walking_through_it():
    from edgefuse_ros.conversions import image_from_frame

    frame = Frame(0, np.zeros((1080, 1920, 3), np.uint8), "bgr8")
    begun_s = time.thread_time()
    array.array("B", iter(frame.image.tobytes()))
    walked_s = time.thread_time()
    image_from_frame(frame, 0)
    assert time.thread_time() - walked_s < (walked_s - begun_s) / 5


def test_sound_survives():
    from rclpy.serialization import deserialize_message

    from edgefuse_msgs.msg import AudioChunk as AudioChunkMessage

    pcm = np.random.default_rng(0).normal(0, 0.1, 320).astype(np.float32)
    content = audio_chunk_from_chunk(AudioChunk(STAMP_NS, pcm, 16_000, 640), 0, 320, "head")
    message = deserialize_message(content, AudioChunkMessage)
    assert (message.index, message.gap, message.encoding) == (640, 320, "F32LE")
    assert np.array_equal(sound_from_audio_chunk(message).pcm[:, 0], pcm)


@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "mono8", "bgra8", "yuv422"])
def test_every_encoding_of_a_camera_becomes_a_frame(encoding):
    frame = frame_from_image(image(stamp(), encoding), STAMP_NS, "image")
    assert frame.image.shape == (48, 64, 3)
    assert frame.image.dtype == np.uint8


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"encoding": "16UC1"}, StreamError),
        ({"encoding": "32FC1"}, StreamError),
        ({"step": 7}, SampleError),
        ({"data": array.array("B", bytes(100))}, SampleError),
    ],
)
def test_an_image_that_is_none_is_refused(changed, error):
    with pytest.raises(error):
        frame_from_image(image(stamp(), **changed), STAMP_NS, "image")


def test_a_percept_says_all_that_it_says_without_ros():
    from rclpy.serialization import deserialize_message

    from edgefuse_msgs.msg import Percept as PerceptMessage

    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    perceiver.push(Frame(time.monotonic_ns(), np.zeros((48, 64, 3), np.uint8)))
    percept = perceiver.step()
    message = deserialize_message(percept_from_percept(percept, 0, "name", "id"), PerceptMessage)
    assert (message.label, list(message.labels)) == (percept.label, list(percept.scores))
    assert np.allclose(message.scores, list(percept.scores.values()))
    assert np.array_equal(np.array(message.embedding, np.float32), percept.embedding)
    assert [sense.name for sense in message.senses] == ["image", "audio", "text"]
    assert math.isnan(message.senses[1].age_ms)
    assert math.isnan(message.agreement)
    assert message.trace.latency_ms == pytest.approx(percept.trace.latency_ms)
    stages = ("receive_ms", "wait_ms", "encode_ms", "fuse_ms", "publish_ms")
    assert sum(getattr(message.trace, stage) for stage in stages) == pytest.approx(message.trace.latency_ms)


def test_what_a_network_does_not_say_is_nan_or_empty():
    from rclpy.serialization import deserialize_message

    from edgefuse_msgs.msg import Percept as PerceptMessage

    sense = Sense(valid=True, weight=None, age_ms=0.0, label=None, confidence=None)
    percept = Percept(1, "red", 1.0, {"red": 1.0}, None, {"front_camera": sense}, None, Trace(0, 1, 2, 3, 4, 5))
    message = deserialize_message(percept_from_percept(percept, 0, "name", "id"), PerceptMessage)
    assert list(message.embedding) == []
    assert math.isnan(message.agreement)
    assert math.isnan(message.senses[0].weight)
    assert math.isnan(message.senses[0].confidence)
    assert (message.senses[0].name, message.senses[0].label) == ("front_camera", "")


def test_numbers_of_any_message_make_a_signal():
    from geometry_msgs.msg import WrenchStamped
    from sensor_msgs.msg import JointState

    from edgefuse.runtime.messages.ros_signals import signal_from_fields

    wrench = WrenchStamped()
    wrench.wrench.force.z = 9.5
    signal = signal_from_fields(wrench, ["wrench.force.x", "wrench.force.z"], STAMP_NS, 100.0, 7, "touch")
    assert signal.values.tolist() == [[0.0, 9.5]]
    assert (signal.index, signal.rate_hz, signal.modality) == (7, 100.0, "touch")
    joints = JointState(position=[0.25, 0.5])
    assert signal_from_fields(joints, ["position.1"], STAMP_NS, 100.0, 0, "joints").values.tolist() == [[0.5]]
    with pytest.raises(SampleError, match="lacks a number"):
        signal_from_fields(joints, ["position.2"], STAMP_NS, 100.0, 0, "joints")
