"""The subscriptions of a perceiver node: each callback converts, hands over and returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from edgefuse.runtime import Sample, Text
from edgefuse.runtime.bundle.manifest import AudioModality, Modality
from edgefuse.runtime.messages.ros_images import frame_from_compressed_image, frame_from_image
from edgefuse.runtime.messages.ros_signals import signal_from_message
from edgefuse.runtime.messages.ros_sounds import AUDIO_INFO, AUDIO_STAMPED, FORMAT_ELSEWHERE
from edgefuse_msgs.msg import Signal as SignalMessage
from edgefuse_ros import profiles
from edgefuse_ros.clock import RosClock
from edgefuse_ros.conversions import stamp_ns_from_message
from edgefuse_ros.diagnosis import Diagnosis
from edgefuse_ros.faults import LOST, Faults
from edgefuse_ros.losses import why_lost
from edgefuse_ros.series import MappedSignal, Sound, mapped_signals, message_type
from edgefuse_ros.settings import PerceptionSettings
from edgefuse_ros.sources import Sources

Convert: TypeAlias = Callable[[Any, int], Sample | None]


@dataclass(frozen=True, slots=True)
class Topic:
    """What one sense subscribes: `convert` makes a sample of a message, or takes note of it."""

    sense: str
    name: str
    kind: type[Any]
    qos: QoSProfile
    convert: Convert


class Inputs(Sources):
    """Subscribes what the senses need, each on a topic of the sense's name, from `open` until `close`.

    image: sensor_msgs/Image, or CompressedImage on `SENSE/compressed` (`image_transport`); audio: `audio_type`, and
    what says how it is encoded on `SENSE_info`; text: std_msgs/String; signal: edgefuse_msgs/Signal, or the message
    that `signals` maps. What an AudioInfo has said holds until the node is cleaned up.
    """

    def __init__(
        self,
        node: Node,
        senses: Sequence[Modality],
        settings: PerceptionSettings,
        ros_ns: Callable[[], int],
        faults: Faults,
    ) -> None:
        """`ros_ns` is what to add to a stamp of the perceiver's clock to get ROS time.

        Raises ParameterError for a message type that is not installed, and for a mapping that is none.
        """
        self._node = node
        self._clock = RosClock(node)
        self._ros_ns = ros_ns
        self._faults = faults
        self._subscriptions: list[Any] = []
        self._described: list[str] = []
        self._bytes: dict[str, int] = {}  # in the newest message of a sense
        channel = None if settings.audio_channel < 0 else settings.audio_channel
        self._sounds = {
            sense.name: Sound(sense.rate_hz, sense.name, settings.audio_type, channel)
            for sense in senses
            if isinstance(sense, AudioModality)
        }
        mapped = mapped_signals(settings.signals, senses)
        self._topics = [topic for sense in senses for topic in self._topics_of(sense, settings, mapped.get(sense.name))]

    def open(self, push: Callable[[Sample], None]) -> None:
        """Subscribe."""
        for sound in self._sounds.values():
            sound.restart()
        for topic in self._topics:
            self._subscribe(topic, push)

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self._described.clear()

    def described(self) -> list[str]:
        """Sense, topic, type and what two ends must agree on."""
        return list(self._described)

    def statuses(self, diagnosis: Diagnosis) -> Iterable[DiagnosticStatus]:
        """None of its own: those of the senses tell."""
        return ()

    def _topics_of(self, sense: Modality, settings: PerceptionSettings, mapped: MappedSignal | None) -> list[Topic]:
        name = sense.name
        if sense.kind == "image":
            return [_images(name, settings)]
        if sense.kind == "audio":
            return _sound(name, settings.audio_type, self._sounds[name])
        if sense.kind == "text":
            return [Topic(name, name, String, profiles.TEXT, lambda message, now: Text(now, message.data, name))]
        if mapped is not None:
            return [Topic(name, name, mapped.type, profiles.SIGNAL, mapped.signal)]
        return [Topic(name, name, SignalMessage, profiles.SIGNAL, partial(signal_from_message, sense=name))]

    def _subscribe(self, topic: Topic, push: Callable[[Sample], None]) -> None:
        take = partial(self._take, topic, push)
        lost = partial(self._count_lost, topic)
        subscription = profiles.subscribe(self._node, topic.kind, topic.name, take, topic.qos, lost)
        self._subscriptions.append(subscription)
        asked = profiles.in_words(subscription.qos_profile)
        self._described.append(f"{topic.sense} from {subscription.topic_name} ({topic.kind.__name__}; {asked})")

    def _take(self, topic: Topic, push: Callable[[Sample], None], message: Any) -> None:
        with self._faults.border(topic.sense):
            self._bytes[topic.sense] = len(getattr(message, "data", ()))
            sample = topic.convert(message, stamp_ns_from_message(message, self._clock.now_ns()) - self._ros_ns())
            if sample is not None:
                push(sample)

    def _count_lost(self, topic: Topic, messages: int) -> None:
        why = why_lost(self._node, self._node.resolve_topic_name(topic.name), self._bytes.get(topic.sense, 0))
        self._faults.note(topic.sense, LOST, why, messages)


def _images(name: str, settings: PerceptionSettings) -> Topic:
    """One topic: a driver compresses its images only where somebody subscribes them compressed."""
    qos = profiles.RELIABLE_IMAGE if settings.image_reliability == "reliable" else profiles.IMAGE
    if settings.image_transport == "raw":
        return Topic(name, name, Image, qos, partial(frame_from_image, sense=name))
    return Topic(name, f"{name}/compressed", CompressedImage, qos, partial(frame_from_compressed_image, sense=name))


def _sound(name: str, type_name: str, sound: Sound) -> list[Topic]:
    """The sound, and what says how it is encoded where its messages do not."""
    qos = profiles.DRIVER_AUDIO if type_name == AUDIO_STAMPED else profiles.AUDIO
    topics = [Topic(name, name, message_type(type_name, "audio_type"), qos, sound.chunk)]
    if type_name in FORMAT_ELSEWHERE:
        info = message_type(AUDIO_INFO, "audio_type")
        topics.append(Topic(name, f"{name}_info", info, profiles.AUDIO_INFO, sound.inform))
    return topics
