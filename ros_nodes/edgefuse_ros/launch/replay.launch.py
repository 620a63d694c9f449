"""Perception on a recording (rosbag2, MCAP), on the recording's own clock, until it ends.

Of the recording, only the topics that perception takes are played: a recorded /cmd_vel must not move the robot again.

ros2 launch edgefuse_ros replay.launch.py recording:=run.mcap image:=/front/image_raw
"""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, LogInfo, SetEnvironmentVariable, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("edgefuse_ros")
ARGUMENTS = (
    ("recording", None, "a rosbag2 directory, or an MCAP file such as `edgefuse run --record` writes"),
    ("rate", "1.0", "how many times as fast as it was recorded"),
    ("delay", "3.0", "how long to wait before it is played [s], so that perception has loaded its bundle"),
    ("bundle", "", "directory made by `edgefuse export`; empty: the bundle that ships with edgefuse"),
    ("namespace", "", "of the perception node"),
    ("params_file", PathJoinSubstitution([SHARE, "config", "replay.yaml"]), "parameters of the perception node"),
    ("image", "/edgefuse/image", "the recording's topic of images, without /compressed"),
    ("audio", "/edgefuse/audio", "the recording's topic of sound"),
    ("image_transport", "compressed", "raw, or compressed: the topic of the images with /compressed behind it"),
    ("audio_type", "edgefuse_msgs/msg/AudioChunk", "of the sound, such as audio_common_msgs/msg/AudioDataStamped"),
    ("audio_info", "audio_info", "topic that says how sound of audio_common_msgs is encoded"),
    ("text", "/edgefuse/text", "the recording's topic of text"),
    ("percepts", "percepts", "topic of the percepts"),
    ("fastdds_profile", PathJoinSubstitution([SHARE, "config", "fastdds.xml"]), "Fast DDS, sized for images"),
)
TEXTS = ("bundle", "image_transport", "audio_type")
REMAPPED = ("image", "audio", "audio_info", "text", "percepts")
COMPRESSED = [LaunchConfiguration("image"), "/compressed"]
PLAYED = [*(LaunchConfiguration(name) for name in ("image", "audio", "audio_info", "text")), COMPRESSED]


def perception() -> Node:
    """The perception node, on the recording's clock."""
    return Node(
        package="edgefuse_ros",
        executable="perception_node",
        name="perception",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("params_file"),
            {
                name: ParameterValue(LaunchConfiguration(name), value_type=str)
                for name in ("bundle", "image_transport", "audio_type")
            },
            {"use_sim_time": True},
        ],
        remappings=[
            *((topic, LaunchConfiguration(topic)) for topic in REMAPPED),
            ("image/compressed", COMPRESSED),
        ],
        output="screen",
    )


def generate_launch_description() -> LaunchDescription:
    """See above."""
    play = ["ros2", "bag", "play", LaunchConfiguration("recording"), "--clock", "100"]
    play += ["--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("delay")]
    play += ["--topics", *PLAYED]
    said = [part for topic in PLAYED for part in (" ", *(topic if isinstance(topic, list) else [topic]))]
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=said) for name, value, said in ARGUMENTS),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", LaunchConfiguration("fastdds_profile")),
            perception(),
            LogInfo(msg=["of the recording only these topics are played:", *said]),
            ExecuteProcess(cmd=play, output="screen", on_exit=Shutdown()),
        ]
    )
