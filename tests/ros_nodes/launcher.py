"""Launch files run as `ros2 launch` runs them, by launch itself or by its stand-in."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ros_domain import HOUSE, Ros, executable

PACKAGE = HOUSE / "ros_nodes" / "edgefuse_ros"
STAND_IN = Path(__file__).with_name("stand_in")
NODES = ("perception_node", "onboard_node", "camera_node", "microphone_node")
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = [argument.split(":=", 1) for argument in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


def make_prefix(folder: Path, of_node: Callable[[str], Path]) -> Path:
    """A folder that is installed like a ROS package's: an ament index, the share directory, the nodes' programs."""
    index = folder / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "edgefuse_ros").touch()
    (folder / "share/edgefuse_ros").symlink_to(PACKAGE)
    programs = folder / "lib/edgefuse_ros"
    programs.mkdir(parents=True)
    for node in NODES:
        (programs / node).symlink_to(of_node(node))
    return folder


def environment(prefix: Path, stand_in: bool) -> dict[str, str]:
    """Of a process that launches."""
    path = [str(STAND_IN)] if stand_in else []
    path += [str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])]
    prefixes = [str(prefix), os.environ.get("AMENT_PREFIX_PATH", sys.prefix)]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "AMENT_PREFIX_PATH": os.pathsep.join(prefixes),
        "ROS_LOG_DIR": str(prefix / "log"),
    }


class Launcher:
    """`ros2 launch`, and Ctrl-C."""

    def __init__(self, ros: Ros, folder: Path, stand_in: bool) -> None:
        self._ros = ros
        self._folder = folder
        self._stand_in = stand_in
        self._of_node: Callable[[str], Path] = executable

    def replace_nodes(self, program: Path) -> None:
        """Run another program as each of the nodes."""
        self._of_node = lambda node: program

    def start(self, file: str | Path, *arguments: str, before: tuple[str, ...] = (), **variables: str) -> None:
        """A file of the package by its name, or any by its path; `before` is a command that runs what follows it."""
        prefix = make_prefix(self._folder / "prefix", self._of_node)
        command = [*before, sys.executable, "-c", LAUNCH, str(PACKAGE / "launch" / file), *arguments]
        self._process = self._ros.launch(command, environment(prefix, self._stand_in) | variables)

    def interrupt(self) -> None:
        """As a terminal does: the launcher and its nodes are all told."""
        os.killpg(self._process.pid, signal.SIGINT)
        self.end()

    def end(self) -> None:
        """Wait for it."""
        assert self.exit_code() == 0
        assert "failed to terminate" not in self.log()
        assert not self.processes()

    def exit_code(self) -> int:
        """When it has ended by itself."""
        return self._process.wait(timeout=60)

    def kill_nodes(self) -> None:
        """As a fault in native code would."""
        for pid in self.processes().values():
            os.kill(pid, signal.SIGKILL)

    def processes(self) -> dict[str, int]:
        """The processes that run now: program and id."""
        started = re.findall(r"\[(\w+)-\d+\]: process started with pid \[(\d+)\]", self.log())
        return {name: int(pid) for name, pid in started if Path(f"/proc/{pid}").exists()}

    def starts(self) -> int:
        """How often a process was started."""
        return self.log().count("process started")

    def log(self) -> str:
        """All that was said."""
        return self._ros.log("launch")

    def nodes(self) -> set[str]:
        """The full names of all nodes but the test's."""
        found = self._ros.node.get_node_names_and_namespaces()
        return {f"{space.rstrip('/')}/{name}" for name, space in found} - {"/test"}
