"""The perception node: topics in, percepts out."""

from __future__ import annotations

from collections.abc import Sequence

from edgefuse.runtime.bundle.manifest import Modality
from edgefuse_ros.inputs import Inputs
from edgefuse_ros.lifecycle import PerceivingNode
from edgefuse_ros.settings import PerceptionSettings
from edgefuse_ros.sources import Sources
from edgefuse_ros.spin import spin


class PerceptionNode(PerceivingNode):
    """Stamps and ages are in ROS time; when that goes back, the perceiver begins anew."""

    def __init__(self) -> None:
        super().__init__("perception", PerceptionSettings)

    def sources(self, senses: Sequence[Modality], settings: PerceptionSettings) -> Sources:
        """Topics."""
        return Inputs(self, senses, settings, self.ros_ns, self.faults)

    def ros_ns(self) -> int:
        """Its perceiver runs on ROS time."""
        return 0


def main() -> None:
    """`ros2 run edgefuse_ros perception_node`."""
    spin(PerceptionNode)
