"""Camera, microphone and perception, each a node of its own.

ros2 launch edgefuse_ros perception.launch.py bundle:=/opt/bundle camera:=false image:=/front/image_raw
"""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("edgefuse_ros")
ARGUMENTS = (
    ("bundle", "", "directory made by `edgefuse export`; empty: the bundle that ships with edgefuse"),
    ("namespace", "", "of all nodes, such as the robot's name"),
    ("params_file", PathJoinSubstitution([SHARE, "config", "perception.yaml"]), "parameters of all nodes"),
    ("camera", "true", "start the camera node; false: another driver publishes images"),
    ("microphone", "true", "start the microphone node; false: another driver publishes sound"),
    ("image", "image", "topic of the images"),
    ("audio", "audio", "topic of the sound"),
    ("image_transport", "raw", "raw, or compressed: the topic of the images with /compressed behind it"),
    ("audio_type", "edgefuse_msgs/msg/AudioChunk", "of the sound, such as audio_common_msgs/msg/AudioDataStamped"),
    ("audio_info", "audio_info", "topic that says how sound of audio_common_msgs is encoded"),
    ("text", "text", "topic of the text"),
    ("percepts", "percepts", "topic of the percepts"),
    ("use_sim_time", "false", "take the time from /clock"),
    ("respawn", "true", "start a node again 1 s after it died"),
    ("fastdds_profile", PathJoinSubstitution([SHARE, "config", "fastdds.xml"]), "Fast DDS, sized for images"),
)
USE_SIM_TIME = {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}
PERCEIVER = {
    name: ParameterValue(LaunchConfiguration(name), value_type=str)
    for name in ("bundle", "image_transport", "audio_type")
}


def remaps(*topics: str) -> list[tuple[str, LaunchConfiguration]]:
    """Each topic to what the argument of its name says."""
    return [(topic, LaunchConfiguration(topic)) for topic in topics]


def node(name: str, topics: list[tuple], parameters: dict, condition: IfCondition | None = None) -> Node:
    """One node, started again when it dies."""
    return Node(
        package="edgefuse_ros",
        executable=f"{name}_node",
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), USE_SIM_TIME | parameters],
        remappings=topics,
        respawn=LaunchConfiguration("respawn"),
        respawn_delay=1.0,
        output="screen",
        condition=condition,
    )


def generate_launch_description() -> LaunchDescription:
    """See above."""
    compressed = ("image/compressed", [LaunchConfiguration("image"), "/compressed"])
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=said) for name, value, said in ARGUMENTS),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", LaunchConfiguration("fastdds_profile")),
            node("camera", remaps("image"), {}, IfCondition(LaunchConfiguration("camera"))),
            node("microphone", remaps("audio"), {}, IfCondition(LaunchConfiguration("microphone"))),
            node("perception", [*remaps("image", "audio", "audio_info", "text", "percepts"), compressed], PERCEIVER),
        ]
    )
