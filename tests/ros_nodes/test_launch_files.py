"""The launch files against the package: every executable, file, parameter and topic in them is there."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from launch_doubles import Said, configurations, launched

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle

PACKAGE = Path(__file__).parent.parent.parent / "ros_nodes" / "edgefuse_ros"
LAUNCH_FILES = sorted((PACKAGE / "launch").iterdir())
NODES = {"perception_node", "onboard_node", "camera_node", "microphone_node"}
SENSES = [modality.name for modality in Bundle.open(DEFAULT_BUNDLE).manifest.modalities]
TOPICS = {
    "perception_node": {*SENSES, "image/compressed", "audio_info", "percepts"},
    "onboard_node": {"text", "percepts"},
    "camera_node": {"image"},
    "microphone_node": {"audio"},
}

every_launch_file = pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)


def of(said: list[Said], what: str) -> list[Said]:
    return [each for each in said if each.what == what]


def joined(said: Said) -> Path:
    """The file that a PathJoinSubstitution names."""
    share, *parts = said.arguments[0]
    assert (share.what, share.arguments) == ("FindPackageShare", ("edgefuse_ros",))
    return PACKAGE.joinpath(*parts)


@every_launch_file
def test_arguments_are_declared_described_and_used(path):
    said = launched(path)
    declared = of(said, "DeclareLaunchArgument")
    assert all(argument.named["description"] for argument in declared)
    names = {argument.arguments[0] for argument in declared}
    assert len(names) == len(declared)
    used = configurations([each for each in said if each.what != "DeclareLaunchArgument"])
    assert used == names


@every_launch_file
def test_files_are_there(path):
    defaults = [argument.named["default_value"] for argument in of(launched(path), "DeclareLaunchArgument")]
    files = [joined(default) for default in defaults if isinstance(default, Said)]
    assert PACKAGE / "config" / f"{path.name.removesuffix('.launch.py')}.yaml" in files
    assert all(file.is_file() for file in files)


@every_launch_file
def test_nodes_are_there_and_their_topics(path):
    nodes = of(launched(path), "Node")
    assert nodes
    for node in nodes:
        assert node.named["package"] == "edgefuse_ros"
        executable = node.named["executable"]
        assert executable in NODES
        assert node.named["name"] == executable.removesuffix("_node")
        assert {topic for topic, _ in node.named["remappings"]} <= TOPICS[executable]


@every_launch_file
def test_a_launch_file_says_how_it_is_called(path):
    (command,) = re.findall(r"ros2 launch edgefuse_ros (.*)", path.read_text())
    file, *arguments = command.split()
    assert file == path.name
    declared = {argument.arguments[0] for argument in of(launched(path), "DeclareLaunchArgument")}
    assert {argument.split(":=")[0] for argument in arguments} <= declared


@every_launch_file
def test_the_parameters_of_its_file_are_those_of_the_nodes(path, ros_installed):
    from edgefuse_ros.settings import CameraSettings, MicrophoneSettings, OnboardSettings, PerceptionSettings

    models = {
        "perception": PerceptionSettings,
        "onboard": OnboardSettings,
        "camera": CameraSettings,
        "microphone": MicrophoneSettings,
    }
    file = PACKAGE / "config" / f"{path.name.removesuffix('.launch.py')}.yaml"
    for node, content in yaml.safe_load(file.read_text()).items():
        models[node.removeprefix("/**/")].model_validate(content["ros__parameters"])


def test_the_dds_profile_holds_an_image():
    root = ElementTree.parse(PACKAGE / "config" / "fastdds.xml").getroot()
    sizes = [int(element.text or 0) for element in root.iter() if element.tag.endswith("segment_size")]
    assert min(sizes) > 3840 * 2160 * 3
