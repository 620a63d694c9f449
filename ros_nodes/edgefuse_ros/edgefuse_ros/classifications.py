"""Percepts for nodes that know vision_msgs and not edgefuse_msgs."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from edgefuse.runtime import Percept
from edgefuse_ros import profiles
from edgefuse_ros.conversions import time_from_stamp

try:
    from vision_msgs.msg import Classification, ObjectHypothesis
except ImportError:  # not every robot has it
    Classification = None


class Classifications:
    """The topic `classification`, vision_msgs/Classification; only where vision_msgs is installed."""

    def __init__(self, node: LifecycleNode) -> None:
        self._publisher: Any = None
        if Classification is not None:
            self._publisher = profiles.publisher(node, Classification, "classification", profiles.PERCEPT)

    def publish(self, percept: Percept, ros_ns: int) -> None:
        """All labels and scores of a percept, where somebody listens."""
        if self._publisher is not None and self._publisher.get_subscription_count():
            self._publisher.publish(classification_from_percept(percept, ros_ns))


def classification_from_percept(percept: Percept, ros_ns: int) -> Any:
    """A vision_msgs/Classification with the percept's stamp and frame."""
    results = [ObjectHypothesis(class_id=label, score=score) for label, score in percept.scores.items()]
    header = Header(stamp=time_from_stamp(percept.stamp_ns + ros_ns), frame_id=percept.frame_id)
    return Classification(header=header, results=results)
