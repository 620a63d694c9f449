"""A node's process, from its start to its end."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import rclpy
import rclpy.logging

from edgefuse.runtime import EdgefuseError
from edgefuse.runtime.errors import in_one_line
from edgefuse_ros.device_node import DeviceNode
from edgefuse_ros.executor import NodeExecutor
from edgefuse_ros.lifecycle import PerceivingNode
from edgefuse_ros.parameters import ParameterError


def spin(make: Callable[[], PerceivingNode | DeviceNode[Any]]) -> None:
    """Run a node until SIGINT or SIGTERM; one line on stderr and exit code 2 where it cannot begin.

    The code is 1 where nobody expected the error, so that it is started again; the log level debug shows where it came
    from.
    """
    # rclpy's own handlers end the spinning. Python's would interrupt the closing as well, at a second SIGINT.
    told_to_end = threading.Event()
    signal.signal(signal.SIGINT, lambda number, frame: told_to_end.set())
    try:
        _init()
        if not told_to_end.is_set():  # before rclpy had its handlers
            _run(make)
    except Exception as error:  # the process's border
        rclpy.logging.get_logger("edgefuse_ros").debug(traceback.format_exc())
        print(f"edgefuse_ros: {in_one_line(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, EdgefuseError) else 1)
    finally:
        rclpy.try_shutdown()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interpreter's end takes any other handler away


def _run(make: Callable[[], PerceivingNode | DeviceNode[Any]]) -> None:
    try:
        _spin(make())
    except EdgefuseError:
        raise
    except Exception:
        if rclpy.ok():
            raise  # else it was told to end, and rclpy says so in many ways: by what needs a context that is gone


def _init() -> None:
    """Raises ParameterError for options and parameter files that cannot be read."""
    try:
        rclpy.init()
    except RuntimeError as error:  # rclpy's own kinds, which have no public name
        raise ParameterError(" ".join(str(error).split())) from error


def _spin(node: PerceivingNode | DeviceNode[Any]) -> None:
    executor = NodeExecutor(node)
    executor.beside(node.autostart)
    try:
        executor.spin()
    finally:
        executor.shutdown()
        node.close()
        node.destroy_node()
