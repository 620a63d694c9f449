"""What the camera node and the microphone node have in common: one device, published as long as the node runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from edgefuse.runtime import Sample, Stream
from edgefuse_ros.clock import RosClock
from edgefuse_ros.diagnosis import Diagnosis
from edgefuse_ros.faults import Faults, RosLogging
from edgefuse_ros.parameters import Parameters
from edgefuse_ros.pump import Pump
from edgefuse_ros.settings import Settings

M = TypeVar("M", bound=Settings)


class DeviceNode(Node, Generic[M]):
    """Publishes from its start to its end; a device that is not there is waited for."""

    def __init__(self, name: str, model: type[M]) -> None:
        super().__init__(name)
        self.clock = RosClock(self)
        self.settings: M = Parameters(self, model).read()
        self._name = name
        self._faults = Faults(self.get_logger())
        self._diagnosis = Diagnosis(self, self._faults)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._pump: Pump | None = None
        logging.getLogger("edgefuse").addHandler(RosLogging(self.get_logger()))

    def begin(self, open_stream: Callable[[], Stream], publish: Callable[[Sample], None]) -> None:
        """Open the device and publish what it senses, in a thread."""
        self._pump = Pump(self._name, open_stream, publish, self._faults)
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def autostart(self) -> None:
        """It has begun already."""

    def close(self) -> None:
        """Let go of the device."""
        if self._pump is not None:
            self._pump.close()

    def _diagnose(self) -> None:
        with self._faults.border("diagnostics"):
            assert self._pump is not None, "diagnosed before it began"
            device = self._diagnosis.of_stream("device", self._pump.health)
            message = DiagnosticArray(status=[device, self._diagnosis.of_faults()])
            message.header.stamp = self.get_clock().now().to_msg()
            self._diagnostics.publish(message)
