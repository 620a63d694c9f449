"""Measures what a user of ROS gets: latency, CPU and loss at 640x480, 30 frames/s, with 16 kHz sound.

    python tests/ros_nodes/latency.py [--seconds 15] [naive separate onboard]

Each stack runs by itself on the same clip, published in real time. Latency is from sensed to published, as the percepts
say; CPU is of the processes named, in percent of one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from ros_domain import Ros, statuses

from edgefuse.runtime import DEFAULT_CLIP, Clip

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
SOUND = DEFAULT_CLIP.with_suffix(".wav")
NAIVE = Path(__file__).with_name("naive_node.py")
WARM_UP_S = 2.0
STARTS_IN_S = 8.0


@dataclass(frozen=True, slots=True)
class Row:
    """One stack's figures; `images` and `dropped` say what became of the frames and of the sound."""

    stack: str
    percepts_hz: float
    p50_ms: float
    p99_ms: float
    cpu_percent: dict[str, float]
    memory_mb: dict[str, float]
    images: str
    dropped: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stacks", nargs="*", default=["naive", "separate", "onboard"])
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = enlarged_clip(Path(folder))
        for stack in options.stacks:
            print_row(measured(stack, clip, options.seconds, Path(folder)))
    print(f"load of the computer besides: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def enlarged_clip(folder: Path) -> Path:
    """The default clip at 640x480."""
    path = folder / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, (WIDTH, HEIGHT))
    for frame in Clip(DEFAULT_CLIP, None, live=False):
        writer.write(cv2.resize(frame.image, (WIDTH, HEIGHT)))
    writer.release()
    return path


def measured(stack: str, clip: Path, seconds: float, folder: Path) -> Row:
    """Start it, let it warm up, measure it, stop it."""
    from diagnostic_msgs.msg import DiagnosticArray

    from edgefuse_msgs.msg import Percept

    logs = folder / stack
    logs.mkdir()
    ros = Ros(logs)
    try:
        percepts, diagnostics = ros.hear(Percept, "percepts"), ros.hear(DiagnosticArray, "/diagnostics")
        nodes = start(ros, stack, clip)
        ros.until(lambda: percepts, "percepts", 60)
        ros.spin(WARM_UP_S)
        percepts.clear()
        before_s = {node: ros.cpu_s(node) for node in nodes}
        ros.spin(seconds)
        cpu = {node: 100 * (ros.cpu_s(node) - before_s[node]) / seconds for node in nodes}
        p50_ms, p99_ms = np.percentile([percept.trace.latency_ms for percept in percepts], [50, 99])
        memory = {node: ros.memory_mb(node) for node in nodes}
        dropped = of_senses(statuses(diagnostics))
        return Row(stack, len(percepts) / seconds, p50_ms, p99_ms, cpu, memory, of_images(percepts), dropped)
    finally:
        ros.close()


def start(ros: Ros, stack: str, clip: Path) -> list[str]:
    """The nodes of one stack."""
    if stack == "onboard":
        return [ros.start("onboard_node", autostart=True, camera__clip=clip, microphone__clip=SOUND)]
    if stack == "naive":
        mine = ros.run([sys.executable, str(NAIVE)], "naive")
    else:
        mine = ros.start("perception_node", autostart=True)
    start_s = ros.node.get_clock().now().nanoseconds / 1e9 + STARTS_IN_S
    camera = ros.start("camera_node", clip=clip, clip_start_s=f"{start_s:.6f}")
    return [mine, camera, ros.start("microphone_node", clip=SOUND, clip_start_s=f"{start_s:.6f}")]


def of_images(percepts: list) -> str:
    """How many of the frames between the first and the last percept came to one."""
    stamps_s = [percept.header.stamp.sec + percept.header.stamp.nanosec / 1e9 for percept in percepts]
    frames = round((max(stamps_s) - min(stamps_s)) * RATE_HZ) + 1
    return f"{max(0, frames - len(set(stamps_s)))} of {frames} frames without a percept"


def of_senses(found: dict) -> str:
    """What the perceiver says it dropped, by sense."""
    dropped = []
    for name, status in found.items():
        sense = name.rpartition(": ")[2]
        dropped += [f"{sense} {pair.key} {pair.value}" for pair in status.values if pair.key.startswith("dropped")]
    return ", ".join(dropped) or "none dropped"


def print_row(row: Row) -> None:
    """One line."""
    cpu = ", ".join(f"{node} {percent:.0f} %" for node, percent in row.cpu_percent.items())
    memory = ", ".join(f"{node} {mb:.0f} MB" for node, mb in row.memory_mb.items())
    print(
        f"{row.stack:9} {row.percepts_hz:5.1f} percepts/s  latency p50 {row.p50_ms:6.1f} p99 {row.p99_ms:6.1f} ms  "
        f"CPU {sum(row.cpu_percent.values()):4.0f} % ({cpu})  {memory}  {row.images}, {row.dropped}",
        flush=True,
    )


if __name__ == "__main__":
    main()
