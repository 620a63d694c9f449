"""A node's process, from its start to its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from edgefuse.runtime import EdgefuseError
from edgefuse_ros.device_node import DeviceNode
from edgefuse_ros.perceiver_node import PerceiverNode


def spin(make: Callable[[], PerceiverNode | DeviceNode[Any]]) -> None:
    """Run a node until SIGINT or SIGTERM; one line on stderr and exit code 2 where it cannot begin.

    One thread runs all callbacks: they only convert and hand over, and more threads would make every one later.
    """
    rclpy.init()
    try:
        node = make()
    except EdgefuseError as error:
        rclpy.try_shutdown()
        print(f"edgefuse_ros: {error}", file=sys.stderr)
        sys.exit(2)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        node.autostart()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
