"""ROS time for the perceiver and for what devices stamp on the monotonic clock."""

from __future__ import annotations

import time

from rclpy.node import Node

_STEP_NS = 100_000_000


class RosClock:
    """A node's clock: the system's time, or /clock where the parameter use_sim_time is set. Thread-safe."""

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()
        self._latest_ns = 0

    def now_ns(self) -> int:
        """ROS time [ns]."""
        now_ns: int = self._clock.now().nanoseconds
        return now_ns

    def ros_ns(self) -> int:
        """What to add to a stamp of the monotonic clock to get ROS time [ns]."""
        return self.now_ns() - time.monotonic_ns()

    def went_back(self) -> bool:
        """Whether it shows an earlier time than when last asked: a recording began again, a clock was set."""
        now_ns, latest_ns = self.now_ns(), self._latest_ns
        self._latest_ns = now_ns
        return now_ns < latest_ns - _STEP_NS
