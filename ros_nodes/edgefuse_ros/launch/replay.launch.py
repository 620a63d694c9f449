"""Perception on a recording (rosbag2, MCAP), on the recording's own clock, until it ends.

Of the recording, only the topics that perception takes are played: a recorded /cmd_vel must not move the robot again.

ros2 launch edgefuse_ros replay.launch.py recording:=run.mcap image:=/front/image_raw
"""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, LogInfo, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from edgefuse_ros.launching import (
    PERCEIVER,
    TOPICS,
    compressed_image,
    config,
    declared,
    parameters,
    perception_topics,
)
from edgefuse_ros.transport import environment_for_images

ARGUMENTS = (
    ("recording", None, "a rosbag2 directory, or an MCAP file such as `edgefuse run --record` writes"),
    ("rate", "1.0", "how many times as fast as it was recorded"),
    ("delay", "3.0", "how long to wait before it is played [s], so that perception has loaded its bundle"),
    ("namespace", "", "of the perception node"),
    ("params_file", config("replay.yaml"), "parameters of the perception node"),
    ("image", "/edgefuse/image", "the recording's topic of images, without /compressed"),
    ("audio", "/edgefuse/audio", "the recording's topic of sound"),
    ("audio_info", "audio_info", "topic that says how sound of audio_common_msgs is encoded"),
    ("text", "/edgefuse/text", "the recording's topic of text"),
    ("percepts", "percepts", "topic of the percepts"),
)
PLAYED = [*(LaunchConfiguration(name) for name in ("image", "audio", "audio_info", "text")), compressed_image()]


def perception(context: LaunchContext) -> list[Node]:
    """The perception node, on the recording's clock; without it there is nothing to play for."""
    return [
        Node(
            package="edgefuse_ros",
            executable="perception_node",
            name="perception",
            namespace=LaunchConfiguration("namespace"),
            parameters=[*parameters(context, (*PERCEIVER, *TOPICS)), {"use_sim_time": True}],
            remappings=perception_topics(),
            on_exit=end,
            output="screen",
        )
    ]


def end(event: ProcessExited, context: LaunchContext) -> list[Shutdown]:
    """The launch, unless that is what ended perception."""
    return [] if context.is_shutdown else [Shutdown(reason="perception has ended")]


def player(context: LaunchContext) -> list[ExecuteProcess]:
    """What plays the recording; it publishes images, and none of our code prepares it for that."""
    command = ["ros2", "bag", "play", LaunchConfiguration("recording"), "--clock", "100"]
    command += ["--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("delay")]
    command += ["--topics", *PLAYED]
    environment = environment_for_images(os.environ)
    return [ExecuteProcess(cmd=command, additional_env=environment, output="screen", on_exit=Shutdown())]


def generate_launch_description() -> LaunchDescription:
    """See above."""
    said = [part for topic in PLAYED for part in (" ", *(topic if isinstance(topic, list) else [topic]))]
    return LaunchDescription(
        [
            *declared(ARGUMENTS, (*PERCEIVER, *TOPICS)),
            OpaqueFunction(function=perception),
            LogInfo(msg=["of the recording only these topics are played:", *said]),
            OpaqueFunction(function=player),
        ]
    )
