"""The perception node: topics in, percepts out."""

from __future__ import annotations

from edgefuse_ros.inputs import Inputs
from edgefuse_ros.perceiver_node import PerceiverNode
from edgefuse_ros.settings import PerceptionSettings
from edgefuse_ros.spin import spin


class PerceptionNode(PerceiverNode):
    """Stamps and ages are in ROS time; when that goes back, the perceiver begins anew."""

    def __init__(self) -> None:
        super().__init__("perception", PerceptionSettings)
        self._inputs: Inputs | None = None

    def open_sources(self) -> None:
        """Subscribe."""
        assert self.perception is not None, "subscribing without a perception"
        push, ros_ns = self.perception.push, self.ros_ns
        self._inputs = Inputs(self, self.senses, self.settings, push, ros_ns, self.faults)

    def close_sources(self) -> None:
        """Unsubscribe."""
        if self._inputs is not None:
            self._inputs.close()
        self._inputs = None

    def describe_sources(self) -> list[str]:
        """Its topics."""
        return [] if self._inputs is None else self._inputs.described

    def ros_ns(self) -> int:
        """Its perceiver runs on ROS time."""
        return 0


def main() -> None:
    """`ros2 run edgefuse_ros perception_node`."""
    spin(PerceptionNode)
