"""Camera, microphone and perceiver in one process: no image crosses a topic.

ros2 launch edgefuse_ros onboard.launch.py bundle:=/opt/bundle
"""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("edgefuse_ros")
ARGUMENTS = (
    ("bundle", "", "directory made by `edgefuse export`; empty: the bundle that ships with edgefuse"),
    ("namespace", "", "of the node, such as the robot's name"),
    ("params_file", PathJoinSubstitution([SHARE, "config", "onboard.yaml"]), "parameters of the node"),
    ("text", "text", "topic of the text"),
    ("percepts", "percepts", "topic of the percepts"),
    ("respawn", "true", "start the node again 1 s after it died"),
)


def generate_launch_description() -> LaunchDescription:
    """See above."""
    onboard = Node(
        package="edgefuse_ros",
        executable="onboard_node",
        name="onboard",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("params_file"),
            {"bundle": ParameterValue(LaunchConfiguration("bundle"), value_type=str)},
        ],
        remappings=[(topic, LaunchConfiguration(topic)) for topic in ("text", "percepts")],
        respawn=LaunchConfiguration("respawn"),
        respawn_delay=1.0,
        output="screen",
    )
    arguments = (DeclareLaunchArgument(name, default_value=value, description=said) for name, value, said in ARGUMENTS)
    return LaunchDescription([*arguments, onboard])
