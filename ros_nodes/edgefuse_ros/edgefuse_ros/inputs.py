"""The subscriptions of the perception node: each callback converts, hands over and returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from edgefuse.runtime import Sample, Text
from edgefuse.runtime.manifest import Modality
from edgefuse.runtime.messages.ros_images import frame_from_compressed_image, frame_from_image
from edgefuse.runtime.messages.ros_sounds import AUDIO_INFO, AUDIO_STAMPED, FORMAT_ELSEWHERE
from edgefuse_msgs.msg import Signal as SignalMessage
from edgefuse_ros import profiles
from edgefuse_ros.clock import RosClock
from edgefuse_ros.conversions import signal_from_signal, stamp_ns_from_message
from edgefuse_ros.faults import Faults
from edgefuse_ros.series import MappedSignal, Sound, mapped_signals, message_type
from edgefuse_ros.settings import PerceptionSettings

Convert: TypeAlias = Callable[[Any, int], Sample | None]


class Inputs:
    """Subscribes what the senses need, each on a topic of the sense's name, until `close`.

    image: sensor_msgs/Image, or CompressedImage on `SENSE/compressed` (`image_transport`); audio: `audio_type`, and
    what says how it is encoded on `SENSE_info`; text: std_msgs/String; signal: edgefuse_msgs/Signal, or the message
    that `signals` maps.
    """

    def __init__(
        self,
        node: Node,
        senses: Sequence[Modality],
        settings: PerceptionSettings,
        push: Callable[[Sample], None],
        ros_ns: Callable[[], int],
        faults: Faults,
    ) -> None:
        """`ros_ns` is what to add to a stamp of `push`'s clock to get ROS time.

        Raises ParameterError for a message type that is not installed, and for a mapping that is none.
        """
        self._node = node
        self._clock = RosClock(node)
        self._push = push
        self._ros_ns = ros_ns
        self._faults = faults
        self._subscriptions: list[Any] = []
        self.described: list[str] = []
        self._image_transport = settings.image_transport
        self._audio_type = settings.audio_type
        self._audio_message = message_type(settings.audio_type, "audio_type")
        mapped = mapped_signals(settings.signals, senses)
        for sense in senses:
            self._subscribe_sense(sense, mapped.get(sense.name))

    def close(self) -> None:
        """Nothing comes any more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _subscribe_sense(self, sense: Modality, mapped: MappedSignal | None) -> None:
        name = sense.name
        if sense.kind == "image":
            self._subscribe_images(name)
        elif sense.kind == "audio":
            self._subscribe_sound(name, Sound(sense.rate_hz, name, self._audio_type))
        elif sense.kind == "text":
            self._subscribe(name, String, name, profiles.TEXT, lambda message, now: Text(now, message.data, name))
        elif mapped is None:
            self._subscribe(name, SignalMessage, name, profiles.SIGNAL, partial(signal_from_signal, modality=name))
        else:
            self._subscribe(name, mapped.type, name, profiles.SIGNAL, mapped.signal)

    def _subscribe_images(self, name: str) -> None:
        """One topic: a driver compresses its images only where somebody subscribes them compressed."""
        if self._image_transport == "raw":
            self._subscribe(name, Image, name, profiles.IMAGE, partial(frame_from_image, modality=name))
        else:
            convert = partial(frame_from_compressed_image, modality=name)
            self._subscribe(name, CompressedImage, f"{name}/compressed", profiles.IMAGE, convert)

    def _subscribe_sound(self, name: str, sound: Sound) -> None:
        qos = profiles.DRIVER_AUDIO if self._audio_type == AUDIO_STAMPED else profiles.AUDIO
        self._subscribe(name, self._audio_message, name, qos, sound.chunk)
        if self._audio_type in FORMAT_ELSEWHERE:
            info = message_type(AUDIO_INFO, "audio_type")
            self._subscribe(name, info, f"{name}_info", profiles.AUDIO_INFO, sound.inform)

    def _subscribe(self, sense: str, kind: type[Any], topic: str, qos: QoSProfile, convert: Convert) -> None:
        take = partial(self._take, sense, convert)
        subscription = profiles.subscribe(self._node, kind, topic, take, qos)
        self._subscriptions.append(subscription)
        asked = profiles.in_words(subscription.qos_profile)
        self.described.append(f"{sense} from {subscription.topic_name} ({kind.__name__}; {asked})")

    def _take(self, sense: str, convert: Convert, message: Any) -> None:
        with self._faults.border(sense):
            sample = convert(message, stamp_ns_from_message(message, self._clock.now_ns()) - self._ros_ns())
            if sample is not None:
                self._push(sample)
