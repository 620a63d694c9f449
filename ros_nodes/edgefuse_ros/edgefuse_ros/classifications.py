"""Percepts for nodes that know vision_msgs and not edgefuse_msgs."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode

from edgefuse_msgs.msg import Percept
from edgefuse_ros import profiles

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

    def publish(self, percept: Percept) -> None:
        """All labels and scores of a percept, where somebody listens."""
        if self._publisher is not None and self._publisher.get_subscription_count():
            self._publisher.publish(classification_from_percept(percept))


def classification_from_percept(percept: Percept) -> Any:
    """A vision_msgs/Classification with the percept's header."""
    scored = zip(percept.labels, percept.scores, strict=True)
    results = [ObjectHypothesis(class_id=label, score=float(score)) for label, score in scored]
    return Classification(header=percept.header, results=results)
