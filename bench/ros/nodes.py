"""Nodes as processes, found and started as a user would."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgefuse.bench.errors import BenchError

NEEDED = ("rclpy", "edgefuse_msgs", "edgefuse_ros")
_ENDED_WITHIN_S = 10.0


def check_ros() -> None:
    """Raises BenchError where ROS 2 or the nodes are not here."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise BenchError(
            f"--ros: {', '.join(missing)} not found: `make ros` installs them (x86_64); or source a ROS 2 workspace"
        )


class Node:
    """A node in a process of its own, which ends with this context; what it says goes into `log`."""

    def __init__(self, name: str, program: Sequence[str], parameters: Mapping[str, object], log: Path) -> None:
        self.name = name
        self._log = log
        options = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        command = [*program, "--ros-args", "-r", f"__node:={name}", *options]
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file)

    def runs(self) -> bool:
        """True; raises BenchError with its last words if it has ended."""
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace").strip().splitlines() or ["nothing said"]
            raise BenchError(f"the node {self.name} ended: {said[-1]}")
        return True

    def cpu_s(self) -> float:
        """How much time on a core it has taken so far [s]."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """What it has resident."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        """As Ctrl-C would; by force where that does not help."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def find_program(node: str) -> list[str]:
    """The program of a node of edgefuse_ros; raises BenchError where it is not installed."""
    for prefix in _list_prefixes():
        for path in (prefix / "lib" / "edgefuse_ros" / node, prefix / "bin" / node):
            if path.exists():
                return [str(path)]
    raise BenchError(f"--ros: {node} is not installed: `make ros`, or source the workspace that it is in")


def _list_prefixes() -> list[Path]:
    sourced = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [Path(folder) for folder in sourced if folder] + [Path(sys.prefix)]
