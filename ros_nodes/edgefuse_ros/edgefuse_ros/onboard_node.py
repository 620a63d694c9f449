"""The onboard node: camera, microphone and perceiver in one process, so that no image crosses a topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from diagnostic_msgs.msg import DiagnosticStatus

from edgefuse.runtime import Sample, Stream
from edgefuse.runtime.bundle.manifest import Modality
from edgefuse_ros import devices
from edgefuse_ros.diagnosis import Diagnosis
from edgefuse_ros.faults import Faults
from edgefuse_ros.inputs import Inputs
from edgefuse_ros.lifecycle import PerceivingNode
from edgefuse_ros.pump import Pump
from edgefuse_ros.settings import OnboardSettings, PerceptionSettings
from edgefuse_ros.sources import Sources
from edgefuse_ros.spin import spin


class OnboardNode(PerceivingNode):
    """The perceiver runs on the monotonic clock, as the devices do; its percepts are published in ROS time."""

    def __init__(self) -> None:
        super().__init__("onboard", OnboardSettings)
        self.now_ns = time.monotonic_ns

    def sources(self, senses: Sequence[Modality], settings: PerceptionSettings) -> Sources:
        """The devices for the first sense that sees and the first that hears, and topics for the others."""
        assert isinstance(settings, OnboardSettings), "other settings than it was made with"
        first = {sense.kind: sense.name for sense in reversed(senses)}
        openers = {
            "image": partial(devices.camera, settings.camera, self.clock.now_ns),
            "audio": partial(devices.microphone, settings.microphone, self.clock.now_ns),
        }
        opened = {first[kind]: partial(device, first[kind]) for kind, device in openers.items() if kind in first}
        others = [sense for sense in senses if sense.name not in opened]
        return Onboard(opened, Inputs(self, others, settings, self.ros_ns, self.faults), self.faults)

    def ros_ns(self) -> int:
        """From the monotonic clock."""
        return self.clock.ros_ns()


class Onboard(Sources):
    """Devices in this process, by sense, and topics for what has none."""

    def __init__(self, openers: Mapping[str, Callable[[], Stream]], inputs: Inputs, faults: Faults) -> None:
        self._openers = openers
        self._inputs = inputs
        self._faults = faults
        self._pumps: dict[str, Pump] = {}

    def open(self, push: Callable[[Sample], None]) -> None:
        """Open the devices and subscribe."""
        self._inputs.open(push)
        self._pumps = {sense: Pump(sense, opener, push, self._faults) for sense, opener in self._openers.items()}

    def close(self) -> None:
        """Close the devices and unsubscribe."""
        for pump in self._pumps.values():
            pump.close()
        self._pumps = {}
        self._inputs.close()

    def described(self) -> list[str]:
        """Its devices and topics."""
        return [f"{sense} from {pump.health.name}" for sense, pump in self._pumps.items()] + self._inputs.described()

    def statuses(self, diagnosis: Diagnosis) -> Iterable[DiagnosticStatus]:
        """The devices' states."""
        return [diagnosis.of_stream(f"{sense} device", pump.health) for sense, pump in list(self._pumps.items())]


def main() -> None:
    """`ros2 run edgefuse_ros onboard_node`."""
    spin(OnboardNode)
