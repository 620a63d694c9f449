"""Camera, microphone and perceiver in one process: no image crosses a topic.

ros2 launch edgefuse_ros onboard.launch.py bundle:=/opt/bundle
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from edgefuse_ros.launching import PERCEIVER, RESPAWN, config, declared, node, parameters, remapped

ARGUMENTS = (
    ("namespace", "", "of the node, such as the robot's name"),
    ("params_file", config("onboard.yaml"), "parameters of the node"),
    ("text", "text", "topic of the text"),
    ("percepts", "percepts", "topic of the percepts"),
    RESPAWN,
)


def nodes(context: LaunchContext) -> list[Node]:
    """One, of what the arguments say."""
    return [node("onboard", remapped("text", "percepts"), parameters(context, PERCEIVER))]


def generate_launch_description() -> LaunchDescription:
    """See above."""
    return LaunchDescription([*declared(ARGUMENTS, PERCEIVER), OpaqueFunction(function=nodes)])
