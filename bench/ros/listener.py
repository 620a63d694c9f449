"""A node that only listens: percepts with the moment at which they were heard, and what the nodes say of themselves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor

from edgefuse.bench.errors import BenchError
from edgefuse.bench.ros.heard import HeardPercept
from edgefuse.runtime.percept import Trace
from edgefuse.runtime.samples import NS_PER_S
from edgefuse_msgs.msg import Percept

_STAGES = tuple(Trace(0, 0, 0, 0, 0, 0).stages_ms)
_DROPPED = "dropped: "


class Listener:
    """Hears while it spins; `heard` may be emptied."""

    def __init__(self) -> None:
        rclpy.init()
        self.heard: list[tuple[int, Percept]] = []
        self.dropped: dict[str, int] = {}
        self.node = rclpy.create_node("listener")
        self.node.create_subscription(Percept, "percepts", self._hear, 1000)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._note, 100)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def now_ns(self) -> int:
        """ROS' clock."""
        return int(self.node.get_clock().now().nanoseconds)

    def list_names(self) -> set[str]:
        """Of the nodes that are up."""
        return {name for name, _ in self.node.get_node_names_and_namespaces()}

    def spin(self, seconds: float) -> None:
        """Let what comes come."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.05))

    def spin_until(self, condition: Callable[[], object], what: str, seconds: float) -> None:
        """Spin until it holds; raises BenchError if it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise BenchError(f"--ros: waited {seconds:g} s for {what}")
            self._executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        """End the node."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _hear(self, percept: Percept) -> None:
        self.heard.append((self.now_ns(), percept))

    def _note(self, message: DiagnosticArray) -> None:
        for status in message.status:
            sense = status.name.rpartition(": ")[2]
            for pair in status.values:
                if pair.key.startswith(_DROPPED):
                    self.dropped[f"{sense} {pair.key.removeprefix(_DROPPED)}"] = int(pair.value)


def heard_from_message(heard_ns: int, message: Percept) -> HeardPercept:
    """As bench keeps it."""
    stamp = message.header.stamp
    return HeardPercept(
        stamp_ns=stamp.sec * NS_PER_S + stamp.nanosec,
        heard_ns=heard_ns,
        ages_ms={sense.name: sense.age_ms for sense in message.senses if sense.valid and not math.isnan(sense.age_ms)},
        stages_ms={stage: getattr(message.trace, f"{stage}_ms") for stage in _STAGES},
    )
