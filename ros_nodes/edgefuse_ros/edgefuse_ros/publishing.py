"""What a perceiver node publishes of a percept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.lifecycle import LifecycleNode

from edgefuse.runtime import Bundle, Percept, Sample
from edgefuse.runtime.messages.ros_messages import percept_from_percept
from edgefuse_msgs.msg import Percept as PerceptMessage
from edgefuse_ros import profiles
from edgefuse_ros.classifications import Classifications
from edgefuse_ros.debug_image import DebugImage
from edgefuse_ros.settings import PerceptionSettings


class Publishing:
    """The topics `percepts`, `classification` and `debug_image`, in ROS time; used by the perceiver's thread."""

    def __init__(self, node: LifecycleNode, ros_ns: Callable[[], int]) -> None:
        """`ros_ns` is what to add to a percept's stamp to get ROS time [ns]."""
        self.withheld = 0
        self._ros_ns = ros_ns
        self._percepts = profiles.publisher(node, PerceptMessage, "percepts", profiles.PERCEPT)
        self._classifications = Classifications(node)
        self._debug_image = DebugImage(node)

    def note(self, sample: Sample) -> None:
        """A sample that is on its way to the perceiver; from any thread."""
        self._debug_image.keep(sample)

    def publish(self, percept: Percept, bundle: Bundle, settings: PerceptionSettings) -> None:
        """One percept, unless it is less sure than is wanted; that is counted."""
        if percept.confidence < settings.min_confidence:
            self.withheld += 1
            return
        ros_ns = self._ros_ns()
        if settings.frame_id:
            percept = replace(percept, frame_id=settings.frame_id)
        self._percepts.publish(percept_from_percept(percept, ros_ns, bundle.manifest.name, bundle.identity))
        self._classifications.publish(percept, ros_ns)
        self._debug_image.publish(percept, ros_ns)
