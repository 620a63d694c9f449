"""A ROS 2 client that acts: `stop` (std_msgs/Bool) is true from a certain percept of a label on, until one of another.

python3 docs/examples/percept_stop.py --ros-args -p "label:=a red ball"

A percept that is not certain changes nothing. `stop` is published with each percept, and not at all where the label can
never come, so that whoever obeys it can tell silence: as a lock of twist_mux with a timeout, that stops the robot too.
"""

from __future__ import annotations

import sys

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Bool

from edgefuse_msgs.msg import Percept


class PerceptStop(Node):
    """Subscribes `percepts`, of which only the newest matters."""

    def __init__(self) -> None:
        super().__init__("percept_stop")
        self.label: str = self.declare_parameter("label", "").value
        self._stop = False
        self._publisher = self.create_publisher(Bool, "stop", 1)
        self.create_subscription(Percept, "percepts", self._act, 1)
        self.get_logger().info(f"stops at {self.label!r}, and acts on certain percepts only")

    def _act(self, percept: Percept) -> None:
        if not percept.calibrated or self.label not in percept.labels:
            self.get_logger().error(f"no percept can be a certain {self.label!r}: {excuse(percept)}", once=True)
            return
        if percept.certain and self._stop != (percept.label == self.label):
            self._stop = not self._stop
            self.get_logger().info(f"{'stop' if self._stop else 'go'}: {percept.label} {percept.confidence:.0%}")
        self._publisher.publish(Bool(data=self._stop))


def excuse(percept: Percept) -> str:
    """Why the label cannot come."""
    return f"the labels are {', '.join(percept.labels)}" if percept.calibrated else "confidence is not calibrated"


def main() -> None:
    rclpy.init()
    node = PerceptStop()
    try:
        if not node.label:
            sys.exit("percept_stop: say at what to stop, such as --ros-args -p 'label:=a red ball'")
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # told to end
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
