"""ROS time for the perceiver and for what devices stamp on the monotonic clock."""

from __future__ import annotations

import time

from rclpy.node import Node


class RosClock:
    """A node's clock: the system's time, or /clock where the parameter use_sim_time is set. Thread-safe."""

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()

    def now_ns(self) -> int:
        """ROS time [ns]."""
        now_ns: int = self._clock.now().nanoseconds
        return now_ns

    def ros_ns(self) -> int:
        """What to add to a stamp of the monotonic clock to get ROS time [ns]."""
        return self.now_ns() - time.monotonic_ns()
