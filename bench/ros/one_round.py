"""One stack of nodes, started, listened to for a while, and stopped: a process of its own, since it imports rclpy.

    python -m edgefuse.bench.ros.one_round TASK.json

writes a HeardRound in JSON on its standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from edgefuse.bench.report.result import NodeCost
from edgefuse.bench.ros.heard import HeardRound
from edgefuse.bench.ros.listener import Listener, heard_from_message
from edgefuse.bench.ros.nodes import Node, find_program
from edgefuse.bench.ros.task import PLAYED_AFTER_S, WARM_UP_S, Task
from edgefuse.runtime.errors import EdgefuseError

_STARTED_WITHIN_S = 60.0


def listen(task: Task, logs: Path) -> HeardRound:
    """Run the stack; raises BenchError where a node ends or no percept comes."""
    with ExitStack() as stack:
        listener = Listener()
        stack.callback(listener.close)
        nodes = _start(task, listener, stack, logs)
        listener.spin_until(lambda: all(map(Node.runs, nodes)) and listener.heard, "percepts", _STARTED_WITHIN_S)
        listener.spin(WARM_UP_S)
        return _listen_to_nodes(task.seconds, listener, nodes)


def _listen_to_nodes(seconds: float, listener: Listener, nodes: Sequence[Node]) -> HeardRound:
    listener.heard.clear()
    dropped, cpu_s, start_ns = dict(listener.dropped), [node.cpu_s() for node in nodes], listener.now_ns()
    listener.spin(seconds)
    spent_s = (listener.now_ns() - start_ns) / 1e9
    costs = {
        node.name: NodeCost(cpu_share=(node.cpu_s() - before_s) / spent_s, memory_mb=node.memory_mb())
        for node, before_s in zip(nodes, cpu_s, strict=True)
    }
    return HeardRound(
        seconds=spent_s,
        percepts=tuple(heard_from_message(heard_ns, message) for heard_ns, message in listener.heard),
        nodes=costs,
        dropped={what: count - dropped.get(what, 0) for what, count in listener.dropped.items()},
    )


def _start(task: Task, listener: Listener, stack: ExitStack, logs: Path) -> list[Node]:
    """First what perceives, then the sensors, which begin to play together."""

    def start(name: str, program: list[str], parameters: dict[str, object]) -> Node:
        node = Node(name, program, parameters, logs / f"{task.stack}-{name}.log")
        stack.callback(node.stop)
        return node

    perceives: dict[str, object] = {"bundle": task.bundle, "backend": task.backend, "autostart": True}
    if task.stack == "onboard":
        clips = {"camera.clip": task.video, "microphone.clip": task.sound}
        return [start("onboard", find_program("onboard_node"), perceives | clips)]
    if task.stack == "naive":
        program = [sys.executable, "-m", "edgefuse.bench.ros.naive_node"]
        first = start("naive", program, {"checkpoint": task.checkpoint})
    else:
        first = start("perception", find_program("perception_node"), perceives)
    listener.spin_until(lambda: first.runs() and first.name in listener.list_names(), first.name, _STARTED_WITHIN_S)
    begin = {"clip_start_s": f"{listener.now_ns() / 1e9 + PLAYED_AFTER_S:.6f}"}
    to_perception = ["--ros-args", "-r", "image_raw:=image"]
    camera = start("camera", [*find_program("camera_node"), *to_perception], {"clip": task.video, **begin})
    return [first, camera, start("microphone", find_program("microphone_node"), {"clip": task.sound, **begin})]


def main() -> None:
    path = Path(sys.argv[1])
    try:
        print(listen(Task.model_validate_json(path.read_bytes()), path.parent).model_dump_json())
    except EdgefuseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
