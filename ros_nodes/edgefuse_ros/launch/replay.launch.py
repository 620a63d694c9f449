"""Perception on a recording (rosbag2, MCAP), on the recording's own clock.

ros2 launch edgefuse_ros replay.launch.py recording:=run.mcap image:=/front/image_raw
"""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("edgefuse_ros")
ARGUMENTS = (
    ("recording", None, "a rosbag2 directory, or an MCAP file such as `edgefuse run --record` writes"),
    ("rate", "1.0", "how many times as fast as it was recorded"),
    ("bundle", "", "directory made by `edgefuse export`; empty: the bundle that ships with edgefuse"),
    ("namespace", "", "of the perception node"),
    ("params_file", PathJoinSubstitution([SHARE, "config", "replay.yaml"]), "parameters of the perception node"),
    ("image", "/edgefuse/image", "the recording's topic of images; compressed ones under it on /compressed"),
    ("audio", "/edgefuse/audio", "the recording's topic of sound"),
    ("text", "/edgefuse/text", "the recording's topic of text"),
    ("percepts", "percepts", "topic of the percepts"),
    ("fastdds_profile", PathJoinSubstitution([SHARE, "config", "fastdds.xml"]), "Fast DDS, sized for images"),
)


def perception() -> Node:
    """The perception node, on the recording's clock."""
    return Node(
        package="edgefuse_ros",
        executable="perception_node",
        name="perception",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("params_file"),
            {"use_sim_time": True, "bundle": ParameterValue(LaunchConfiguration("bundle"), value_type=str)},
        ],
        remappings=[
            *((topic, LaunchConfiguration(topic)) for topic in ("image", "audio", "text", "percepts")),
            ("image/compressed", [LaunchConfiguration("image"), "/compressed"]),
        ],
        output="screen",
    )


def generate_launch_description() -> LaunchDescription:
    """See above."""
    play = [
        "ros2",
        "bag",
        "play",
        LaunchConfiguration("recording"),
        "--rate",
        LaunchConfiguration("rate"),
        "--clock",
        "100",
    ]
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=said) for name, value, said in ARGUMENTS),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", LaunchConfiguration("fastdds_profile")),
            perception(),
            ExecuteProcess(cmd=play, output="screen"),
        ]
    )
