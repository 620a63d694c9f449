"""The onboard node: camera, microphone and perceiver in one process, so that no image crosses a topic."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

from diagnostic_msgs.msg import DiagnosticStatus

from edgefuse_ros import sources
from edgefuse_ros.inputs import Inputs
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
        self._inputs: Inputs | None = None

    def open_sources(self) -> None:
        """Open the devices of the first sense that sees and the first that hears, and subscribe to the others."""
        assert self.perception is not None, "opening devices without a perception"
        first = {sense.kind: sense.name for sense in reversed(self.senses)}
        devices = {
            "image": partial(sources.camera, self.settings.camera, self.clock.now_ns),
            "audio": partial(sources.microphone, self.settings.microphone, self.clock.now_ns),
        }
        openers = {first[kind]: partial(device, first[kind]) for kind, device in devices.items() if kind in first}
        push, ros_ns = self.perception.push, self.ros_ns
        others = [sense for sense in self.senses if sense.name not in openers]
        self._inputs = Inputs(self, others, self.settings, push, ros_ns, self.faults)
        for sense in self.senses:
            if sense.name in openers:
                self._pumps[sense.name] = Pump(sense.name, openers[sense.name], push, self.faults)

    def close_sources(self) -> None:
        """Close the devices and unsubscribe."""
        for pump in self._pumps.values():
            pump.close()
        self._pumps = {}
        if self._inputs is not None:
            self._inputs.close()
        self._inputs = None

    def describe_sources(self) -> list[str]:
        """Its devices and topics."""
        devices = [f"{sense} from {pump.health.name}" for sense, pump in self._pumps.items()]
        return devices + ([] if self._inputs is None else self._inputs.described)

    def ros_ns(self) -> int:
        """From the monotonic clock."""
        return self.clock.ros_ns()

    def of_sources(self) -> Iterable[DiagnosticStatus]:
        """The devices' states."""
        return [self.diagnosis.of_stream(f"{sense} device", pump.health) for sense, pump in self._pumps.items()]


def main() -> None:
    """`ros2 run edgefuse_ros onboard_node`."""
    spin(OnboardNode)
