"""Sound and signals as messages, made into series."""

from types import SimpleNamespace

import numpy as np
import pytest
from ros_samples import sound

from edgefuse.runtime import SampleError
from edgefuse.runtime.bundle.manifest import GraphSpec, SignalModality, TensorSpec

pytestmark = pytest.mark.usefixtures("ros_installed")

OUTPUTS = (
    TensorSpec(name="tokens", dtype="float32", shape=("batch", 4, 8)),
    TensorSpec(name="embedding", dtype="float32", shape=("batch", 8)),
)
GRAPH = GraphSpec(file="touch.onnx", precision="fp32", inputs=(), outputs=OUTPUTS)
TOUCH = SignalModality(
    name="touch", graph=GRAPH, max_age_ms=100, rate_hz=100, window_samples=50, hop_samples=10, channels=2
)
LINE = "touch geometry_msgs/msg/WrenchStamped wrench.force.x wrench.force.z"


def test_a_message_type_is_mapped_onto_a_signal_and_lost_messages_are_a_gap():
    from geometry_msgs.msg import WrenchStamped

    from edgefuse_ros.series import mapped_signals

    mapped = mapped_signals([LINE], [TOUCH])["touch"]
    assert mapped.type is WrenchStamped
    message = WrenchStamped()
    message.wrench.force.x, message.wrench.force.z = 1.0, 3.0
    samples = [mapped.signal(message, 5_000_000_000 + stamp_ms * 1_000_000) for stamp_ms in (0, 11, 50)]
    assert [sample.index for sample in samples] == [0, 1, 5]
    assert samples[0].values.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("touch", "should be SENSE"),
        ("smell geometry_msgs/msg/WrenchStamped wrench.force.x", "the bundle's signals are touch"),
        ("touch geometry_msgs/msg/WrenchStamped wrench.force.x", "names 1 fields, touch has 2"),
        ("touch nowhere_msgs/msg/Wrench a b", "no message type"),
    ],
)
def test_a_mapping_that_cannot_be_is_one_line(line, said):
    from edgefuse_ros.parameters import ParameterError
    from edgefuse_ros.series import mapped_signals

    with pytest.raises(ParameterError, match=said):
        mapped_signals([line], [TOUCH])


def test_numbers_that_are_no_whole_vectors_are_refused():
    from edgefuse.runtime.messages.ros_signals import signal_from_message
    from edgefuse_msgs.msg import Signal

    message = Signal(sample_rate=100.0, channels=2, index=7, data=[1.0, 2.0, 3.0, 4.0])
    assert signal_from_message(message, 0, "touch").values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    message.channels = 3
    with pytest.raises(SampleError, match="no whole number"):
        signal_from_message(message, 0, "touch")


@pytest.mark.parametrize("rate_hz", [0.0, -100.0, float("nan"), float("inf")])
def test_a_signal_of_a_rate_that_cannot_be_is_refused(rate_hz):
    from edgefuse.runtime.messages.ros_signals import signal_from_message
    from edgefuse_msgs.msg import Signal

    with pytest.raises(SampleError, match="its rate is"):
        signal_from_message(Signal(sample_rate=rate_hz, channels=1, data=[1.0]), 0, "touch")


def test_sound_as_unsigned_bytes_is_heard_from_128_on_as_silence():
    from std_msgs.msg import UInt8MultiArray

    from edgefuse_ros.series import Sound

    track = Sound(16_000, "audio", "std_msgs/msg/UInt8MultiArray")
    message = UInt8MultiArray(data=bytes([128, 0, 255, 64] * 80))
    with pytest.raises(SampleError, match="until an AudioInfo says how it is encoded"):
        track.chunk(message, 10**9)
    track.inform(SimpleNamespace(coding_format="wave", sample_rate=16_000, channels=1, sample_format="U8"), 0)
    chunk = track.chunk(message, 10**9)
    assert chunk.pcm[:4].tolist() == [0, -1, 127 / 128, -0.5]
    assert chunk.until_ns == 10**9, "without a stamp of its own it was sensed before it came"
    track.restart()
    again = track.chunk(message, 2 * 10**9)
    assert again is not None, "how it is encoded is known after a restart too"
    assert again.index == 0


def test_sound_keeps_its_count_over_a_restart_of_the_microphone():
    from edgefuse_ros.conversions import time_from_stamp
    from edgefuse_ros.series import Sound

    track = Sound(16_000, "audio")
    blocks = [(0, 0), (320, 20), (0, 2020), (320, 2040)]
    chunks = [track.chunk(sound(time_from_stamp(ms * 10**6), index), ms * 10**6) for index, ms in blocks]
    assert [chunk.index for chunk in chunks] == [0, 320, 32_320, 32_640]


def test_a_channel_of_the_messages_is_heard_where_it_is_asked_for(caplog):
    from edgefuse_ros.conversions import time_from_stamp
    from edgefuse_ros.series import Sound

    voice = np.random.default_rng(0).normal(0, 0.1, 320)
    pair = np.stack([voice, -voice], axis=1).astype(np.float32)
    mean, second = Sound(16_000, "audio"), Sound(16_000, "audio", channel=1)
    for number in range(110):
        stamp_ns = number * 20_000_000
        message = sound(time_from_stamp(stamp_ns), 320 * number, pair, channels=2)
        assert np.abs(mean.chunk(message, stamp_ns).pcm).max() < 1e-6
        np.testing.assert_array_equal(second.chunk(message, stamp_ns).pcm, pair[:, 1])
    assert caplog.text.count("audio: the mean of its 2 channels is 60 dB quieter than channel") == 1
    third = Sound(16_000, "audio", channel=2)
    with pytest.raises(SampleError, match="has no channel 2: it has the channels 0 to 1"):
        third.chunk(message, stamp_ns)


def test_an_empty_message_of_sound_is_refused():
    from edgefuse_ros.conversions import time_from_stamp
    from edgefuse_ros.series import Sound

    with pytest.raises(SampleError, match="holds no sound"):
        Sound(16_000, "audio").chunk(sound(time_from_stamp(0), 0, np.zeros(0)), 0)
