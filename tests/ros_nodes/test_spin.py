"""A node's process at its very beginning."""

import subprocess
import sys

EARLY = """
import os
import signal

import rclpy

init = rclpy.init


def interrupted_init(*arguments, **named):
    os.kill(os.getpid(), signal.SIGINT)
    init(*arguments, **named)


rclpy.init = interrupted_init
from edgefuse_ros.microphone_node import main

main()
"""


def test_a_ctrl_c_that_comes_before_rclpy_listens_is_not_lost(ros_installed):
    assert subprocess.run([sys.executable, "-c", EARLY], timeout=60).returncode == 0
