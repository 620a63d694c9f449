"""The nodes as the launch files start them: arguments, the parameters and topics that they give, respawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from edgefuse_ros.respawn import DEATHS, DELAY_S, WITHIN_S, Respawn

# Parameters of what perceives that are launch arguments too: name, type, what it says.
PERCEIVER: Final = (
    ("bundle", str, "directory made by `edgefuse export`, instead of the one that ships with edgefuse"),
    ("require_signature", str, "public key (PEM) of who must have signed the bundle"),
    ("min_confidence", float, "percepts less sure are not published"),
    ("confidence", str, "file of `edgefuse calibrate confidence`"),
    ("frame_id", str, "of the percepts and the camera node's images, such as front_camera_optical_frame"),
)
# And of what perceives from topics.
TOPICS: Final = (
    ("image_transport", str, "raw, or compressed: the topic of the images with /compressed behind it"),
    ("image_reliability", str, "best_effort, or reliable: lost images are sent again"),
    ("audio_type", str, "of the sound, such as audio_common_msgs/msg/AudioDataStamped"),
)
RESPAWN: Final = (
    "respawn",
    "true",
    f"start a node that died again, unless its parameters are wrong or it died {DEATHS} times in {WITHIN_S:g} s",
)


def config(file: str) -> PathJoinSubstitution:
    """Where a file of the package's folder config is."""
    return PathJoinSubstitution([FindPackageShare("edgefuse_ros"), "config", file])


def declared(arguments: Iterable[tuple], parameters: Iterable[tuple[str, type, str]]) -> list[DeclareLaunchArgument]:
    """Launch arguments of (name, default, description), and those that are parameters."""
    from_file = [(name, "", f"{said}; empty: as the params_file says") for name, _, said in parameters]
    return [
        DeclareLaunchArgument(name, default_value=value, description=said)
        for name, value, said in [*arguments, *from_file]
    ]


def remapped(*topics: str) -> list[tuple[str, object]]:
    """Each topic to what the argument of its name says."""
    return [(topic, LaunchConfiguration(topic)) for topic in topics]


def perception_topics() -> list[tuple[str, object]]:
    """Those of the perception node, each to what the argument of its name says."""
    return [*remapped("image", "audio", "audio_info", "text", "percepts"), ("image/compressed", compressed_image())]


def compressed_image() -> list[object]:
    """The topic that drivers publish compressed images on, beside that of the raw ones."""
    return [LaunchConfiguration("image"), "/compressed"]


def parameters(context: LaunchContext, arguments: Iterable[tuple[str, type, str]]) -> list[object]:
    """The params_file, and over it the arguments that were given; an empty one leaves the file's value, or the node's.

    (For a dictionary of parameters is stronger than the file, so that a default in it would overrule the file.)
    """
    values = {name: (LaunchConfiguration(name), kind) for name, kind, _ in arguments}
    over = {
        name: ParameterValue(value, value_type=kind) for name, (value, kind) in values.items() if value.perform(context)
    }
    return [LaunchConfiguration("params_file"), *([over] if over else [])]


def node(
    name: str,
    topics: list[tuple[str, object]],
    parameters: list[object],
    condition: IfCondition | None = None,
) -> Node:
    """One node, started again when it dies, see Respawn."""
    return Node(
        package="edgefuse_ros",
        executable=f"{name}_node",
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=parameters,
        remappings=topics,
        respawn=LaunchConfiguration("respawn"),
        respawn_delay=DELAY_S,
        on_exit=Respawn(),
        output="screen",
        condition=condition,
    )
