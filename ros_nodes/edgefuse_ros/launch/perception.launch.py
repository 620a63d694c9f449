"""Camera, microphone and perception, each a node of its own.

ros2 launch edgefuse_ros perception.launch.py bundle:=/opt/bundle camera:=false image:=/front/image_raw
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from edgefuse_ros.launching import (
    PERCEIVER,
    RESPAWN,
    TOPICS,
    config,
    declared,
    node,
    parameters,
    perception_topics,
    remapped,
)

ARGUMENTS = (
    ("namespace", "", "of all nodes, such as the robot's name"),
    ("params_file", config("perception.yaml"), "parameters of all nodes"),
    ("camera", "true", "start the camera node; false: another driver publishes images"),
    ("microphone", "true", "start the microphone node; false: another driver publishes sound"),
    ("image", "image_raw", "topic of the images, without /compressed"),
    ("camera_info", "camera_info", "topic of what the camera node knows of its lens"),
    ("audio", "audio", "topic of the sound"),
    ("audio_info", "audio_info", "topic that says how sound of audio_common_msgs is encoded"),
    ("text", "text", "topic of the text"),
    ("percepts", "percepts", "topic of the percepts"),
    RESPAWN,
)
SIM_TIME = (("use_sim_time", bool, "true: take the time from /clock"),)
FRAME = (("frame_id", str, ""),)


def nodes(context: LaunchContext) -> list[Node]:
    """Three, of what the arguments say."""
    camera, microphone = (IfCondition(LaunchConfiguration(name)) for name in ("camera", "microphone"))
    images = [("image_raw", LaunchConfiguration("image")), *remapped("camera_info")]
    perceives = (*PERCEIVER, *TOPICS, *SIM_TIME)
    return [
        node("camera", images, parameters(context, (*FRAME, *SIM_TIME)), camera),
        node("microphone", remapped("audio"), parameters(context, SIM_TIME), microphone),
        node("perception", perception_topics(), parameters(context, perceives)),
    ]


def generate_launch_description() -> LaunchDescription:
    """See above."""
    arguments = declared(ARGUMENTS, (*PERCEIVER, *TOPICS, *SIM_TIME))
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])
