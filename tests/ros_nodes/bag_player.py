"""`ros2 bag play FILE`, as far as replay.launch.py asks for it, for computers that have no ros2 bag."""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Iterator
from pathlib import Path

import rclpy
from mcap.reader import make_reader
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

NS_PER_S = 1_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", nargs=2)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--clock", type=float, required=True)
    parser.add_argument("--delay", type=float, required=True)
    parser.add_argument("--topics", nargs="+", help="play these only; else all")
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("rosbag2_player")
    time.sleep(options.delay)
    play(node, list(recorded(options.path, options.topics)), options.rate, options.clock)
    rclpy.try_shutdown()


def recorded(path: Path, topics: list[str] | None) -> Iterator[tuple[int, str, str, bytes]]:
    """Log time [ns], topic, type and content of every message."""
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file).iter_messages(topics):
            yield message.log_time, channel.topic, schema.name, message.data


def play(node: Node, messages: list[tuple[int, str, str, bytes]], rate: float, clock_hz: float) -> None:
    """Publish them in their time, and what time it is."""
    publishers = {topic: node.create_publisher(of(kind), topic, 10) for _, topic, kind, _ in messages}
    clock = node.create_publisher(Clock, "/clock", 10)
    began_s, now_ns, next_one = time.monotonic(), messages[0][0], 0
    while next_one < len(messages):
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(now_ns, NS_PER_S)
        clock.publish(message)
        while next_one < len(messages) and messages[next_one][0] <= now_ns:
            publishers[messages[next_one][1]].publish(messages[next_one][3])
            next_one += 1
        now_ns += round(NS_PER_S / clock_hz)
        time.sleep(max(0.0, (now_ns - messages[0][0]) / NS_PER_S / rate - (time.monotonic() - began_s)))


def of(kind: str) -> type:
    """From PACKAGE/msg/TYPE."""
    package, _, name = kind.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


if __name__ == "__main__":
    main()
