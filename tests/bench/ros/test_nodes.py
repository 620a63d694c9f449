"""Nodes as processes: whether they run, what they take, what they said last, and how they end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgefuse.bench.errors import BenchError
from edgefuse.bench.ros.nodes import Node, find_program

WAIT_S = 30.0
READY = "print('ready', flush=True); "


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Node]]:
    """Starts a program of Python that stands for a node."""
    with ExitStack() as stack:

        def started(code: str) -> Node:
            node = Node("camera", [sys.executable, "-c", code], {"clip": "a.mp4", "autostart": True}, tmp_path / "log")
            stack.callback(node.stop)
            return node

        yield started


def said(tmp_path: Path, what: str) -> str:
    """The log, once that is in it."""
    until = time.monotonic() + WAIT_S
    while what not in (text := (tmp_path / "log").read_text()):
        assert time.monotonic() < until, text
        time.sleep(0.01)
    return text


def test_a_node_is_told_its_name_and_its_parameters_as_ros_has_it(start, tmp_path):
    start("import sys; print(sys.argv[1:], 'ready', flush=True); import time; time.sleep(60)")
    arguments = ["--ros-args", "-r", "__node:=camera", "-p", "clip:=a.mp4", "-p", "autostart:=True"]
    assert str(arguments) in said(tmp_path, "ready")


def test_a_node_that_runs_says_so_and_ends_when_told(start, tmp_path):
    node = start(READY + "import time; time.sleep(60)")
    said(tmp_path, "ready")
    assert node.runs()
    node.stop()
    with pytest.raises(BenchError, match="the node camera ended: KeyboardInterrupt"):
        node.runs()


def test_a_node_that_does_not_listen_is_ended_by_force(start, tmp_path, monkeypatch):
    monkeypatch.setattr("edgefuse.bench.ros.nodes._ENDED_WITHIN_S", 0.1)
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    node = start(ignore + READY + "import time; time.sleep(60)")
    said(tmp_path, "ready")
    node.stop()
    with pytest.raises(BenchError, match="the node camera ended: ready"):
        node.runs()


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("raise SystemExit('no such clip: a.mp4')", "no such clip: a.mp4"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("pass", "nothing said"),
        ("import sys; sys.stdout.buffer.write(b'caf\\xe9')", "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_last_words_of_a_node_that_ended_are_the_reason(start, code, last):
    node = start(code)
    node._process.wait(WAIT_S)
    with pytest.raises(BenchError) as refusal:
        node.runs()
    assert str(refusal.value) == f"the node camera ended: {last}"


def test_what_a_node_takes_is_its_own(start, tmp_path):
    """It computes until it has taken 0.2 s by its own count, and holds 60 MB."""
    node = start(
        "held = b'x' * 60_000_000\nimport time\nwhile time.process_time() < 0.2: pass\n" + READY + "time.sleep(60)"
    )
    said(tmp_path, "ready")
    assert 0.15 < node.cpu_s() < 10
    assert 60 < node.memory_mb() < 200


def test_a_program_is_found_where_ros_or_pip_puts_it(tmp_path, monkeypatch):
    workspace, environment = tmp_path / "install", tmp_path / "venv"
    for path in (workspace / "lib" / "edgefuse_ros" / "camera_node", environment / "bin" / "microphone_node"):
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{workspace}")
    monkeypatch.setattr(sys, "prefix", str(environment))
    assert find_program("camera_node") == [str(workspace / "lib" / "edgefuse_ros" / "camera_node")]
    assert find_program("microphone_node") == [str(environment / "bin" / "microphone_node")]
    with pytest.raises(BenchError, match="--ros: perception_node is not installed: `make ros`"):
        find_program("perception_node")
