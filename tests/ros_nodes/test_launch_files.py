"""The launch files against the package: every executable, file, parameter and topic in them is there."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from launcher import NODES, PACKAGE, environment, make_prefix

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle

LAUNCH_FILES = sorted((PACKAGE / "launch").iterdir())
SENSES = [modality.name for modality in Bundle.open(DEFAULT_BUNDLE).manifest.modalities]
TOPICS = {
    "perception_node": {*SENSES, "image/compressed", "audio_info", "percepts"},
    "onboard_node": {"text", "percepts"},
    "camera_node": {"image_raw", "camera_info"},
    "microphone_node": {"audio"},
}

every_launch_file = pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)


@pytest.fixture
def described(tmp_path):
    """What a launch file would run, and with which arguments."""
    prefix = make_prefix(tmp_path / "prefix", lambda node: tmp_path / node)

    def describe(path: Path, *arguments: str, **variables: str) -> dict:
        needed = ["recording:=run.mcap"] if path.name == "replay.launch.py" else []
        command = [sys.executable, "-m", "launch.described", str(path), *needed, *arguments]
        env = os.environ | environment(prefix, stand_in=True) | {"TMPDIR": str(tmp_path)} | variables
        result = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])

    return describe


def nodes(described: dict) -> dict[str, list[str]]:
    """The options of each of our nodes, by its program."""
    named = {Path(command[0]).name: command[1:] for command in described["commands"]}
    return {program: options for program, options in named.items() if program.endswith("_node")}


def remaps(options: list[str]) -> dict[str, str]:
    pairs = [value.split(":=") for flag, value in pairwise(options) if flag == "-r"]
    return {topic: other for topic, other in pairs if not topic.startswith("__")}


def over_the_file(options: list[str], path: Path) -> dict:
    """The parameters that are stronger than those of the launch file's own configuration."""
    own, *others = [value for flag, value in pairwise(options) if flag == "--params-file"]
    assert Path(own).resolve() == PACKAGE / "config" / f"{path.name.removesuffix('.launch.py')}.yaml"
    values: dict = {}
    for file in others:
        (content,) = yaml.safe_load(Path(file).read_text()).values()
        values |= content["ros__parameters"]
    return values


@every_launch_file
def test_arguments_are_declared_described_and_used(path, described):
    said = described(path)
    names = [name for name, description in said["arguments"] if description]
    assert sorted(names) == sorted(set(names)) == said["used"]


@every_launch_file
def test_nodes_are_there_and_their_topics(path, described):
    found = nodes(described(path))
    assert found
    for program, options in found.items():
        assert program in NODES
        assert f"__node:={program.removesuffix('_node')}" in options
        assert set(remaps(options)) <= TOPICS[program]


@every_launch_file
def test_a_launch_file_says_how_it_is_called(path, described):
    (command,) = re.findall(r"ros2 launch edgefuse_ros (.*)", path.read_text())
    file, *arguments = command.split()
    assert file == path.name
    declared = {name for name, _ in described(path)["arguments"]}
    assert {argument.split(":=")[0] for argument in arguments} <= declared


def test_the_stand_in_refuses_what_it_does_not_know(tmp_path):
    env = os.environ | environment(make_prefix(tmp_path / "prefix", lambda node: tmp_path / node), stand_in=True)
    for action in ("ExecuteProcess(cmd=['true'], output='screen', prefix='x')", "LogInfo('hello')", "GroupAction([])"):
        code = f"from launch.actions import {action.split('(')[0]}; {action}"
        result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert re.search("TypeError|ImportError", result.stderr), action


def test_image_topics_follow_one_argument(described):
    found = nodes(described(PACKAGE / "launch/perception.launch.py", "image:=/front/image_raw"))
    assert remaps(found["camera_node"])["image_raw"] == "/front/image_raw"
    assert remaps(found["perception_node"])["image"] == "/front/image_raw"
    assert remaps(found["perception_node"])["image/compressed"] == "/front/image_raw/compressed"


@every_launch_file
def test_only_parameters_that_were_given_are_stronger_than_the_file(path, described):
    always = {"use_sim_time": True} if path.name == "replay.launch.py" else {}
    for options in nodes(described(path)).values():
        assert over_the_file(options, path) == always


@every_launch_file
def test_arguments_that_are_parameters_are_those_of_the_models(path, described, ros_installed):
    from edgefuse_ros.settings import CameraNodeSettings, MicrophoneSettings, OnboardSettings, PerceptionSettings

    models = {
        "perception_node": PerceptionSettings,
        "onboard_node": OnboardSettings,
        "camera_node": CameraNodeSettings,
        "microphone_node": MicrophoneSettings,
    }
    example = {"min_confidence": 0.5, "image_transport": "compressed", "image_reliability": "reliable"}
    example |= {"audio_type": "audio_common_msgs/msg/AudioStamped"}
    parameters = [name for name, said in described(path)["arguments"] if "as the params_file says" in said]
    arguments = {name: example.get(name, "some") for name in parameters if name != "use_sim_time"}
    said = described(path, *(f"{name}:={value}" for name, value in arguments.items()))
    for program, options in nodes(said).items():
        values = {name: value for name, value in over_the_file(options, path).items() if name != "use_sim_time"}
        models[program].model_validate(values)
        expected = set(arguments) if program in ("perception_node", "onboard_node") else {"frame_id"} & set(values)
        assert set(values) == expected


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


def test_of_what_replay_starts_only_the_player_is_prepared_for_images(described):
    path = PACKAGE / "launch/replay.launch.py"
    player, perception = sorted(
        zip(described(path)["commands"], described(path)["environments"], strict=True),
        key=lambda process: process[0][0] != "ros2",
    )
    ((name, profile),) = player[1].items() - perception[1].items()
    assert name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    assert profile.endswith("images.fastdds.xml")


def test_replay_leaves_a_profile_of_the_users_own(described):
    said = described(PACKAGE / "launch/replay.launch.py", FASTDDS_DEFAULT_PROFILES_FILE="/robot/dds.xml")
    assert {environment["FASTDDS_DEFAULT_PROFILES_FILE"] for environment in said["environments"]} == {"/robot/dds.xml"}
