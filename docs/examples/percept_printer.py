"""A ROS 2 client that prints percepts: a line whenever the label is another one, or has become certain or doubtful.

python3 docs/examples/percept_printer.py --ros-args -r percepts:=/robot/percepts
"""

from __future__ import annotations

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from edgefuse_msgs.msg import Percept


class PerceptPrinter(Node):
    """Subscribes `percepts`; its queue is as the perception node's, so that none is lost to a busy terminal."""

    def __init__(self) -> None:
        super().__init__("percept_printer")
        self._last = ("", False)
        self.create_subscription(Percept, "percepts", self._print, 10)

    def _print(self, percept: Percept) -> None:
        if (percept.label, percept.certain) == self._last:
            return
        self._last = (percept.label, percept.certain)
        doubt = "" if percept.certain else ", not certain" if percept.calibrated else ", not calibrated"
        senses = ", ".join(f"{sense.name} {sense.weight:.2f} {sense.age_ms:.0f} ms old" for sense in heard(percept))
        stamp = percept.header.stamp.sec + percept.header.stamp.nanosec / 1e9
        print(f"{stamp:.3f}  {percept.label} {percept.confidence:.0%}{doubt}  ({senses})", flush=True)


def heard(percept: Percept) -> list:
    """The senses that had a part in it."""
    return [sense for sense in percept.senses if sense.valid]


def main() -> None:
    rclpy.init()
    try:
        rclpy.spin(PerceptPrinter())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # told to end
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
