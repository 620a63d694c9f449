"""The onboard node: camera, microphone and perceiver in one process, so that no image crosses a topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from std_msgs.msg import String

from edgefuse.runtime import Stream, Text
from edgefuse_ros import profiles, sources
from edgefuse_ros.perceiver_node import PerceiverNode
from edgefuse_ros.pump import Pump
from edgefuse_ros.settings import OnboardSettings
from edgefuse_ros.spin import spin


class OnboardNode(PerceiverNode):
    """The perceiver runs on the monotonic clock, as the devices do; its percepts are published in ROS time."""

    settings: OnboardSettings

    def __init__(self) -> None:
        super().__init__("onboard", OnboardSettings)
        self.now_ns = time.monotonic_ns
        self._pumps: dict[str, Pump] = {}
        self._texts: Any = None

    def open_sources(self) -> None:
        """Open the devices of the senses in use, and subscribe to text."""
        assert self.perception is not None, "opening devices without a perception"
        openers: dict[str, Callable[[], Stream]] = {
            "image": lambda: sources.camera(self.settings.camera, self.clock.now_ns),
            "audio": lambda: sources.microphone(self.settings.microphone, self.clock.now_ns),
        }
        for sense in self.perception.perceiver.senses:
            if sense in openers:
                self._pumps[sense] = Pump(sense, openers[sense], self.perception.push, self.faults)
        self._texts = profiles.subscribe(self, String, "text", self._take_text, profiles.TEXT)

    def close_sources(self) -> None:
        """Close the devices and unsubscribe."""
        for pump in self._pumps.values():
            pump.close()
        self._pumps = {}
        if self._texts is not None:
            self.destroy_subscription(self._texts)
        self._texts = None

    def ros_ns(self) -> int:
        """From the monotonic clock."""
        return self.clock.ros_ns()

    def of_sources(self) -> Iterable[DiagnosticStatus]:
        """The devices' states."""
        return [self.diagnosis.of_stream(f"{sense} device", pump.health) for sense, pump in self._pumps.items()]

    def _take_text(self, message: String) -> None:
        with self.faults.border("text"):
            if self.perception is not None:
                self.perception.push(Text(time.monotonic_ns(), message.data))


def main() -> None:
    """`ros2 run edgefuse_ros onboard_node`."""
    spin(OnboardNode)
