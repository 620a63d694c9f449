"""One ROS domain: nodes as processes, started as a user would, and a node of the test's own to talk to them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).parent.parent.parent
_DOMAINS = range(215, 233)  # beyond those that people use; their ports are none that Linux gives to others
_START_S = 30.0


class Ros:
    """One domain: processes of nodes in it, and a node that listens, publishes and calls."""

    def __init__(self, logs: Path) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        from edgefuse_ros.transport import environment_for_images

        self.domain, self._claim = _free_domain()
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._heard: dict[str, list[Any]] = defaultdict(list)
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        with _added(environment_for_images(os.environ)):  # for this node alone: it publishes images
            self.node = rclpy.create_node("test", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)

    def start(self, node: str, *options: str, name: str | None = None, **parameters: object) -> str:
        """Start a node and wait until it answers; its name. A dot in a parameter: camera__clip."""
        short = name or node.removesuffix("_node")
        return self.run(_command(node, short, options, parameters), short)

    def start_and_end(self, node: str, *options: str) -> int:
        """Start a node that should end by itself, and wait for that; its exit code."""
        name = node.removesuffix("_node")
        self._processes[name] = self._popen(_command(node, name, options, {}), name)
        return self._processes.pop(name).wait(timeout=30)

    def run(self, command: list[str], name: str) -> str:
        """Start a program that is the node `name`, and wait until it answers."""
        self._processes[name] = self._popen(command, name)
        self.until(lambda: self._is_up(name), f"{name} to start")
        return name

    def launch(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program that starts nodes."""
        self._processes["launch"] = self._popen(command, "launch", environment)
        return self._processes["launch"]

    def log(self, name: str) -> str:
        """All that a node has said."""
        return self._log(name).read_text()

    def stop(self, name: str, number: int = signal.SIGINT) -> int:
        """Send a signal to a node's process and wait for its end; its exit code."""
        process = self._processes.pop(name)
        process.send_signal(number)
        return process.wait(timeout=15)

    def interrupt_often(self, name: str) -> int:
        """Send SIGINT until a node's process has ended; its exit code."""
        process = self._processes.pop(name)
        for _ in range(1000):
            process.send_signal(signal.SIGINT)
            try:
                return process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"{name} did not end")

    def pid(self, name: str) -> int:
        """A node's process."""
        return self._processes[name].pid

    def cpu_s(self, name: str) -> float:
        """How much time on a core a node has taken so far [s]."""
        fields = Path(f"/proc/{self._processes[name].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, name: str) -> float:
        """What a node has resident."""
        pages = int(Path(f"/proc/{self._processes[name].pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def hear(self, kind: type[Any], topic: str, depth: int = 1000, reliable: bool = True) -> list[Any]:
        """A list that grows by what comes on a topic while the test spins."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        heard = self._heard[topic]
        self.node.create_subscription(kind, topic, heard.append, QoSProfile(depth=depth, reliability=reliability))
        return heard

    def spin(self, seconds: float) -> None:
        """Let what comes come."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.05))

    def until(self, condition: Callable[[], object], what: str, seconds: float = _START_S) -> None:
        """Spin until it holds; fails with what the nodes have said."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}; " + self._said()
            self._executor.spin_once(timeout_sec=0.02)

    def call(self, kind: type[Any], service: str, request: Any, seconds: float = _START_S) -> Any:
        """Call a service and wait for its answer."""
        client = self.node.create_client(kind, service)
        try:
            self.until(client.service_is_ready, f"the service {service}")
            future = client.call_async(request)
            self.until(future.done, f"an answer of {service}", seconds)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def change(self, name: str, transition: str) -> bool:
        """Ask a lifecycle node for a transition; whether it was made."""
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request()
        request.transition.label = transition
        return bool(self.call(ChangeState, f"{name}/change_state", request).success)

    def state(self, name: str) -> str:
        """A lifecycle node's state."""
        from lifecycle_msgs.srv import GetState

        return str(self.call(GetState, f"{name}/get_state", GetState.Request()).current_state.label)

    def set(self, name: str, **parameters: object) -> str | None:
        """Set parameters one by one; the first reason for a refusal, None if all were taken."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        values = [Parameter(key.replace("__", "."), value=value) for key, value in parameters.items()]
        request = SetParameters.Request(parameters=[value.to_parameter_msg() for value in values])
        answer = self.call(SetParameters, f"{name}/set_parameters", request)
        return next((result.reason for result in answer.results if not result.successful), None)

    def close(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        for process in self._processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()
        self._claim.close()

    def _is_up(self, name: str) -> bool:
        assert self._processes[name].poll() is None, f"{name} ended; " + self._said()
        return name in {found for found, _ in self.node.get_node_names_and_namespaces()}

    def _popen(
        self, command: list[str], name: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        own = {"ROS_DOMAIN_ID": str(self.domain), "OPENBLAS_NUM_THREADS": "1", **(environment or {})}
        with self._log(name).open("ab") as log:
            return subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log, start_new_session=True)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _said(self) -> str:
        ended = [
            f"{name} ended with {code}" for name, one in self._processes.items() if (code := one.poll()) is not None
        ]
        logs = [f"{path.name}:\n{path.read_text()[-3000:]}" for path in sorted(self._logs.glob("*.log"))]
        return "\n".join([*ended, *logs])


@contextmanager
def _added(environment: Mapping[str, str]) -> Iterator[None]:
    os.environ.update(environment)
    try:
        yield
    finally:
        for name in environment:
            del os.environ[name]


def _free_domain() -> tuple[int, socket.socket]:
    """A domain that no other test on this machine is in, as long as the socket is open."""
    for domain in _DOMAINS:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0edgefuse-test-domain-{domain}")
        except OSError:
            claim.close()
            continue
        return domain, claim
    raise RuntimeError(f"the ROS domains {_DOMAINS[0]} to {_DOMAINS[-1]} are all taken by other tests")


def _command(node: str, name: str, options: Iterable[str], parameters: Mapping[str, object]) -> list[str]:
    arguments = ["--ros-args", "-r", f"__node:={name}", *options]
    for key, value in parameters.items():
        arguments += ["-p", f"{key.replace('__', '.')}:={value}"]
    return [str(executable(node)), *arguments]


def executable(node: str) -> Path:
    """Where `ros2 run` or the shell finds it."""
    for folder in ("lib/edgefuse_ros", "bin"):
        path = Path(sys.prefix) / folder / node
        if path.exists():
            return path
    raise FileNotFoundError(f"{node} is not installed: `make ros`")


def statuses(diagnostics: list[Any]) -> dict[str, Any]:
    """The newest of each name."""
    return {status.name: status for message in diagnostics for status in message.status}
