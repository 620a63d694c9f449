"""The launch files run: by the stand-in for launch everywhere, and by ROS 2's own where that can be imported."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from launcher import PACKAGE, Launcher
from ros_domain import statuses
from shared_memory import segments, segments_mb

RECORDED_NS = 8_000_000_000

WRONG = {
    "a value that is wrong": "/**:\n  ros__parameters:\n    min_confidence: 7.0\n",
    "a file that cannot be read": "/**:\n  ros__parameters: [1, {\n",
}


@pytest.fixture(params=["stand-in", "launch"])
def launcher(request, ros, tmp_path):
    if request.param == "launch" and importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is on no package index: source a ROS 2 installation")
    return Launcher(ros, tmp_path, stand_in=request.param == "stand-in")


def parameter(ros, node: str, name: str):
    """What a node says that a parameter of its is."""
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import parameter_value_to_python

    answer = ros.call(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=[name]))
    return parameter_value_to_python(answer.values[0])


def topics(ros, node: str, which: str) -> set[str]:
    """Those that a node subscribes or publishes, as far as the test knows."""
    space, _, name = node.rpartition("/")
    try:
        found = getattr(ros.node, f"get_{which}_names_and_types_by_node")(name, space or "/")
    except RuntimeError:  # not discovered yet
        return set()
    return {topic for topic, _ in found}


@pytest.mark.parametrize(
    ("arguments", "nodes"),
    [
        (["perception.launch.py", "namespace:=robot", "microphone:=false"], {"/robot/camera", "/robot/perception"}),
        pytest.param(["onboard.launch.py", "namespace:=robot"], {"/robot/onboard"}, marks=pytest.mark.slow),
    ],
)
def test_it_starts_its_nodes_and_starts_them_again(ros, launcher, arguments, nodes):
    from diagnostic_msgs.msg import DiagnosticArray

    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    launcher.start(*arguments)
    ros.until(lambda: launcher.nodes() == nodes, f"{nodes}")
    launcher.kill_nodes()
    ros.until(lambda: launcher.starts() == 2 * len(nodes), "other processes")
    ros.until(lambda: launcher.nodes() == nodes, f"{nodes} after they were killed")
    diagnostics.clear()
    perceiver = next(iter(nodes - {"/robot/camera"})).rpartition("/")[2]

    def active() -> bool:
        newest = statuses(diagnostics)
        return any(perceiver in name and "percepts/s" in newest[name].message for name in newest)

    ros.until(active, f"{perceiver} to be active again")
    launcher.interrupt()


def test_an_argument_that_is_given_is_stronger_than_the_file_and_no_other(ros, launcher, tmp_path):
    file = tmp_path / "robot.yaml"
    values = {"autostart": True, "min_confidence": 0.3, "frame_id": "head", "image_transport": "compressed"}
    file.write_text(json.dumps({"/robot/perception": {"ros__parameters": values}}))
    arguments = ["camera:=false", "microphone:=false", "namespace:=robot", f"params_file:={file}"]
    arguments += ["min_confidence:=0.6", "image:=/front/image_raw", "percepts:=seen"]
    launcher.start("perception.launch.py", *arguments)
    ros.until(lambda: launcher.nodes() == {"/robot/perception"}, "perception")
    assert parameter(ros, "/robot/perception", "min_confidence") == 0.6
    assert parameter(ros, "/robot/perception", "frame_id") == "head"
    assert parameter(ros, "/robot/perception", "image_transport") == "compressed"
    heard = {"/front/image_raw/compressed", "/robot/audio", "/robot/text"}
    ros.until(lambda: heard <= topics(ros, "/robot/perception", "subscriber"), f"subscriptions of {heard}")
    assert "/front/image_raw" not in topics(ros, "/robot/perception", "subscriber")
    assert "/robot/seen" in topics(ros, "/robot/perception", "publisher")
    launcher.interrupt()


def test_the_camera_publishes_what_perception_subscribes(ros, launcher):
    launcher.start("perception.launch.py", "namespace:=robot", "microphone:=false", "frame_id:=eye_optical_frame")
    ros.until(lambda: "/robot/image_raw" in topics(ros, "/robot/camera", "publisher"), "the camera's topic")
    ros.until(lambda: "/robot/image_raw" in topics(ros, "/robot/perception", "subscriber"), "perception's topic")
    assert parameter(ros, "/robot/camera", "frame_id") == "eye_optical_frame"
    launcher.interrupt()


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_wrong_parameter_file_is_said_once_and_not_tried_again(ros, launcher, tmp_path, content):
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    launcher.start("perception.launch.py", "camera:=false", "microphone:=false", f"params_file:={file}")
    assert launcher.exit_code() == 0
    assert launcher.starts() == 1
    assert len([line for line in launcher.log().splitlines() if "edgefuse_ros: " in line]) == 1
    assert launcher.log().count("perception_node-1 is not started again: what it was told is wrong") == 1
    assert "Traceback" not in launcher.log()


def test_a_node_that_always_dies_is_given_up(ros, launcher, tmp_path):
    dies = tmp_path / "dies"
    dies.write_text("#!/bin/sh\nexit 1\n")
    dies.chmod(0o755)
    launcher.replace_nodes(dies)
    launcher.start("onboard.launch.py")
    assert launcher.exit_code() == 0
    assert launcher.starts() == 5
    assert launcher.log().count("onboard_node-1 is not started again: it died 5 times within 300 s") == 1


def test_one_that_shall_not_respawn_does_not(ros, launcher, tmp_path):
    dies = tmp_path / "dies"
    dies.write_text("#!/bin/sh\nexit 1\n")
    dies.chmod(0o755)
    launcher.replace_nodes(dies)
    launcher.start("onboard.launch.py", "respawn:=false")
    assert launcher.exit_code() == 0
    assert launcher.starts() == 1


@pytest.fixture
def player(tmp_path, monkeypatch):
    """`ros2 bag play`, also where there is none."""
    if shutil.which("ros2") is None:
        ros2 = tmp_path / "ros2"
        ros2.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("bag_player.py")} "$@"\n')
        ros2.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def record_with_cmd_vel(path: Path) -> None:
    """The first seconds of what `edgefuse run` records of the default clip, and commands that move a robot."""
    from geometry_msgs.msg import Twist
    from mcap.reader import make_reader
    from mcap.writer import Writer
    from rclpy.serialization import serialize_message

    plain = path.with_name("plain.mcap")
    record = [sys.executable, "-m", "edgefuse", "run", "--fast", "--record", str(plain)]
    subprocess.run(record, check=True, capture_output=True, timeout=120)
    with plain.open("rb") as file, path.open("wb") as copy:
        writer = Writer(copy)
        writer.start(profile="ros2")
        channels = {}
        start_ns = make_reader(file).get_summary().statistics.message_start_time
        for schema, channel, message in make_reader(file).iter_messages():
            if message.log_time > start_ns + RECORDED_NS:
                break
            if channel.id not in channels:
                kind = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(channel.topic, channel.message_encoding, kind)
            writer.add_message(channels[channel.id], message.log_time, message.data, message.publish_time)
        kind = writer.register_schema("geometry_msgs/msg/Twist", "ros2msg", b"")
        moves = writer.register_channel("/cmd_vel", "cdr", kind)
        for moment_ns in range(start_ns, start_ns + RECORDED_NS, RECORDED_NS // 20):
            writer.add_message(moves, moment_ns, serialize_message(Twist()), moment_ns)
        writer.finish()


@pytest.mark.slow
def test_a_recording_is_perceived_again_and_moves_nothing(ros, launcher, player, tmp_path):
    from geometry_msgs.msg import Twist

    from edgefuse_msgs.msg import Percept

    recording = tmp_path / "run.mcap"
    record_with_cmd_vel(recording)
    percepts, moves = ros.hear(Percept, "/percepts"), ros.hear(Twist, "/cmd_vel")
    launcher.start("replay.launch.py", f"recording:={recording}")
    ros.until(lambda: "finished cleanly" in launcher.log(), "the end of the recording", 60)
    launcher.end()
    assert not moves, "a recorded /cmd_vel must not move the robot again"
    labels = recorded_labels(recording)
    same = [labels[stamp] == percept.label for percept in percepts if (stamp := str(percept.header.stamp)) in labels]
    assert len(same) > 0.8 * len(labels)
    assert sum(same) > 0.95 * len(same)


def recorded_labels(recording: Path) -> dict[str, str]:
    """The labels of the recorded percepts, by stamp."""
    from bag_player import recorded
    from rclpy.serialization import deserialize_message

    from edgefuse_msgs.msg import Percept

    messages = recorded(recording, ["/edgefuse/percepts"])
    percepts = [deserialize_message(data, Percept) for _, _, _, data in messages]
    return {str(percept.header.stamp): percept.label for percept in percepts}


FOREIGN = """
import sys
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

PRINT = "import os; print('foreign', [value for name, value in os.environ.items() if '_PROFILES_FILE' in name])"


def generate_launch_description():
    source = PythonLaunchDescriptionSource(OURS)
    included = IncludeLaunchDescription(source, launch_arguments=[("microphone", "false")])
    return LaunchDescription([included, ExecuteProcess(cmd=[sys.executable, "-c", PRINT], output="screen")])
"""


@pytest.mark.parametrize("own", [True, False], ids=["a profile of the user's own", "none"])
def test_what_our_nodes_need_of_dds_is_theirs_alone(ros, launcher, tmp_path, own):
    from edgefuse_ros.transport import environment_for_images

    profile = tmp_path / "own.xml"
    profile.write_text((PACKAGE / "edgefuse_ros/images.fastdds.xml").read_text().replace("16777216", "6291456"))
    variables = dict.fromkeys(environment_for_images(os.environ), str(profile)) if own else {}
    file = tmp_path / "foreign.launch.py"
    file.write_text(FOREIGN.replace("OURS", repr(str(PACKAGE / "launch/perception.launch.py"))))
    others = segments()
    launcher.start(file, **variables)
    ros.until(lambda: launcher.nodes() == {"/camera", "/perception"}, "the nodes")
    ros.until(lambda: "foreign [" in launcher.log(), "the foreign process")
    assert f"foreign {[str(profile)] if own else []}" in launcher.log()
    largest_mb = {
        program: max(size for path, size in segments_mb(pid).items() if path not in others)
        for program, pid in launcher.processes().items()
    }
    assert (6 if own else 16) < largest_mb["camera_node"] < (8 if own else 20)
    launcher.interrupt()
