"""A stand-in for ROS 2's `launch`, which no package index has: it really runs what this project's launch files say.

It knows what they use, and refuses all else: what is not here cannot be imported, and what a class does not take is a
TypeError. Order, words and times are those of `launch` (execute_local.py, launch_service.py), so that a test of either
is a test of both; test_launched.py runs with both where the real one is installed.
"""

from launch.action import Action
from launch.context import LaunchContext
from launch.description import LaunchDescription
from launch.service import LaunchService

__all__ = ["Action", "LaunchContext", "LaunchDescription", "LaunchService"]
