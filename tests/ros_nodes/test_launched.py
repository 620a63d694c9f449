"""The launch files run for real; only where ROS 2's own launch and a built workspace are (no wheel brings them)."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ros_domain import Ros, statuses

LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from ament_index_python.packages import get_package_share_directory

path = get_package_share_directory("edgefuse_ros") + "/launch/" + sys.argv[1]
arguments = [argument.split(":=") for argument in sys.argv[2:]]
service = LaunchService()
included = IncludeLaunchDescription(PythonLaunchDescriptionSource(path), launch_arguments=arguments)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""


@pytest.fixture
def launcher(ros):
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI: source a ROS 2 installation")
    index = pytest.importorskip("ament_index_python.packages")
    try:
        index.get_package_share_directory("edgefuse_ros")
    except LookupError:
        pytest.skip("edgefuse_ros is not in the ament index: build it with colcon")
    return Launcher(ros)


class Launcher:
    """`ros2 launch`, and Ctrl-C."""

    def __init__(self, ros: Ros) -> None:
        self._ros = ros

    def start(self, *arguments: object) -> None:
        self._process = self._ros.launch([sys.executable, "-c", LAUNCH, *map(str, arguments)])

    def interrupt(self) -> None:
        """As a terminal does: the launcher and its nodes are all told."""
        os.killpg(self._process.pid, signal.SIGINT)
        self.end()

    def end(self) -> None:
        assert self._process.wait(timeout=20) == 0
        assert "failed to terminate" not in self._ros.log("launch")
        self._ros.until(lambda: self.nodes() == set(), "the end of all nodes")

    def kill_nodes(self) -> None:
        assert subprocess.run(["pkill", "-KILL", "-P", str(self._process.pid)], check=False).returncode == 0

    def nodes(self) -> set[str]:
        found = self._ros.node.get_node_names_and_namespaces()
        return {f"{space.rstrip('/')}/{name}" for name, space in found} - {"/test"}


@pytest.mark.parametrize(
    ("arguments", "nodes"),
    [
        (["perception.launch.py", "namespace:=robot", "microphone:=false"], {"/robot/camera", "/robot/perception"}),
        (["onboard.launch.py", "namespace:=robot"], {"/robot/onboard"}),
    ],
)
def test_it_starts_its_nodes_and_starts_them_again(ros, launcher, arguments, nodes):
    from diagnostic_msgs.msg import DiagnosticArray

    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    launcher.start(*arguments)
    ros.until(lambda: launcher.nodes() == nodes, f"{nodes}")
    launcher.kill_nodes()
    ros.until(lambda: ros.log("launch").count("process started") == 2 * len(nodes), "other processes")
    ros.until(lambda: launcher.nodes() == nodes, f"{nodes} after they were killed")
    diagnostics.clear()
    perceiver = next(iter(nodes - {"/robot/camera"})).rpartition("/")[2]
    active = lambda: (said := statuses(diagnostics).get(f"{perceiver}: perception")) and "percepts/s" in said.message  # noqa: E731
    ros.until(active, f"{perceiver} to be active again")
    launcher.interrupt()


def test_a_recording_is_perceived_again_and_the_launch_ends_with_it(ros, launcher, tmp_path, monkeypatch):
    from edgefuse_msgs.msg import Percept

    if shutil.which("ros2") is None:
        ros2 = tmp_path / "ros2"
        ros2.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("bag_player.py")} "$@"\n')
        ros2.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    recording = tmp_path / "run.mcap"
    record = [sys.executable, "-m", "edgefuse", "run", "--fast", "--record", str(recording)]
    subprocess.run(record, check=True, capture_output=True, timeout=120)
    before, again = ros.hear(Percept, "/edgefuse/percepts"), ros.hear(Percept, "/percepts")
    launcher.start("replay.launch.py", f"recording:={recording}")
    ros.until(lambda: "finished cleanly" in ros.log("launch"), "the end of the recording", 60)
    launcher.end()
    labels = {str(percept.header.stamp): percept.label for percept in before}
    same = [
        labels[str(percept.header.stamp)] == percept.label for percept in again if str(percept.header.stamp) in labels
    ]
    assert len(same) > 0.8 * len(before)
    assert sum(same) > 0.95 * len(same)
