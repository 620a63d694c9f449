"""Run where the nodes were installed, with the folder they lie in: their percepts of the default clip, and what they
import from where, as one JSON object on stdout."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy
import pydantic
import rclpy
from rclpy.node import Node

from edgefuse.runtime import DEFAULT_CLIP
from edgefuse_msgs.msg import Percept

COUNT, TIMEOUT_S = 100, 60


def main() -> None:
    folder = Path(sys.argv[1])
    rclpy.init()
    node, labels = rclpy.create_node("listener"), []
    node.create_subscription(Percept, "percepts", lambda percept: labels.append(percept.label), 10)
    started = [
        subprocess.Popen([folder / "perception_node", "--ros-args", "-p", "autostart:=true"]),
        subprocess.Popen([folder / "camera_node", "--ros-args", "-p", f"clip:={DEFAULT_CLIP}"]),
    ]
    try:
        listen(node, labels)
    finally:
        for process in started:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
    modules = {module.__name__: [module.__version__, module.__file__] for module in (numpy, cv2, pydantic)}
    print(json.dumps({"percepts": len(labels), "labels": sorted(set(labels)), "modules": modules}))


def listen(node: Node, labels: list[str]) -> None:
    """Until enough percepts have come, or far too much time has passed."""
    end = time.monotonic() + TIMEOUT_S
    while len(labels) < COUNT and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.5)


if __name__ == "__main__":
    main()
