"""The reference of docs/ros.md: parameters from the nodes' settings, topics and services from the nodes as they run.

python docs/ros_reference.py             # writes it anew between its marks: `make docs`
python docs/ros_reference.py --check     # exit code 1 where the page says something else
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "OFF"  # read by rclpy: no other node is to hear of these

import rclpy
from annotated_types import Ge, Le
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from edgefuse.runtime import DEFAULT_CLIP
from edgefuse_ros.camera_node import CameraNode
from edgefuse_ros.microphone_node import MicrophoneNode
from edgefuse_ros.onboard_node import OnboardNode
from edgefuse_ros.parameters import Entry, entries
from edgefuse_ros.perception_node import PerceptionNode
from edgefuse_ros.settings import CameraNodeSettings, MicrophoneSettings, OnboardSettings, PerceptionSettings, Settings

PAGE = Path(__file__).with_name("ros.md")
BEGIN, END = "<!-- written by `make docs` from here -->\n", "<!-- to here -->\n"
NAMESPACE = "/robot"  # tells a topic that is relative (image) from one that is not (/diagnostics)
PICTURES, SOUND = DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav")
OF_ROS = {"rcl_interfaces", "lifecycle_msgs", "rosgraph_msgs", "type_description_interfaces"}
WHERE_INSTALLED = {"vision_msgs"}  # the page says the same on every computer
TYPES = {float: "double", int: "integer", bool: "bool", str: "string", list[str]: "string[]"}
WHAT_FOR = {
    "audio": "sound; other types by `audio_type`",
    "camera_info": "the lens, with every image",
    "debug_image": "frames with the percept written on them; published while somebody subscribes",
    "/diagnostics": "rates, ages, drops, latency, at 1 Hz",
    "image": "newest wins: a frame that came too late is gone",
    "image_raw": "its frames; with `camera_info` of the same stamp where `camera_info_url` is set",
    "image/compressed": "JPEG or PNG",
    "percepts": "what is there, how sure, which sense said so, how old each sense's evidence was",
    "set_camera_info": "checks a calibration, writes the file of `camera_info_url`, publishes it with the next image",
    "text": "what somebody says or writes",
    "~/enable": "false: an active node rests and frees the CPU; true: it perceives again",
    "~/set_prompts": "classes named at run time; none: the bundle's own",
}


@dataclass(frozen=True, slots=True)
class Described:
    """A node, its settings, and how it is run here; each of `cases` sets one more parameter, which adds topics."""

    node: Any
    settings: type[Settings]
    run_with: dict[str, object]
    cases: tuple[tuple[str, str], ...] = ()
    beyond: tuple[str, type[Settings]] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """A topic or service of a node; `way` is in, out or service."""

    name: str
    way: str
    type: str
    qos: str


NODES = {
    "perception_node": Described(
        PerceptionNode, PerceptionSettings, {"autostart": "true"}, (("image_transport", "compressed"),)
    ),
    "onboard_node": Described(
        OnboardNode,
        OnboardSettings,
        {"autostart": "true", "camera.clip": PICTURES, "microphone.clip": SOUND},
        beyond=("perception_node", PerceptionSettings),
    ),
    "camera_node": Described(CameraNode, CameraNodeSettings, {"clip": PICTURES}, (("camera_info_url", "camera.yaml"),)),
    "microphone_node": Described(MicrophoneNode, MicrophoneSettings, {"clip": SOUND}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where the page differs")
    check = parser.parse_args().check
    before, _, rest = PAGE.read_text().partition(BEGIN)
    page = before + BEGIN + reference() + END + rest.partition(END)[2]
    if not check:
        PAGE.write_text(page)
    elif page != PAGE.read_text():
        sys.exit(f"{PAGE.name} is not what the nodes are: `make docs` writes it anew")


def reference() -> str:
    """All nodes, as Markdown."""
    return "\n".join(section(name, described) for name, described in NODES.items())


def section(name: str, described: Described) -> str:
    """One node."""
    lines = [f"### {name}\n", *table(("", "topic or service", "type", "QoS", ""), end_rows(described)), ""]
    shown = list(entries(described.settings))
    if described.beyond is not None:
        other, settings = described.beyond
        known = {entry.name for entry in entries(settings)}
        shown = [entry for entry in shown if entry.name not in known]
        lines += [f"The parameters of {other}, and these:", ""]
    lines += table(("parameter", "type", "default", "range", "live", ""), map(parameter_row, shown))
    return "\n".join(lines) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def end_rows(described: Described) -> Iterator[tuple[str, ...]]:
    """What it subscribes, publishes and serves; with the case that adds it."""
    found: dict[End, str] = {}
    for case in (None, *described.cases):
        when = f"; with `{case[0]}:={case[1]}`" if case else ""
        with running(described, dict([case] if case else [])) as node:
            for end in ends(node):
                found.setdefault(end, when)
    for end, when in sorted(found.items(), key=lambda item: (item[0].way, bool(item[1]))):
        yield end.way, f"`{end.name}`", end.type, end.qos, what_for(end) + when


@contextmanager
def running(described: Described, case: dict[str, str]) -> Iterator[Any]:
    """The node, active."""
    arguments = ["--ros-args", "--log-level", "error", "-r", f"__ns:={NAMESPACE}"]
    for name, value in {**described.run_with, **case}.items():
        arguments += ["-p", f"{name}:={value}"]
    rclpy.init(args=arguments)
    node = described.node()
    try:
        node.autostart()
        yield node
    finally:
        node.close()
        node.destroy_node()
        rclpy.try_shutdown()


def ends(node: Any) -> list[End]:
    """Its own, without those that every node has."""
    found = [("in", each.topic_name, each.msg_type, each.qos_profile) for each in node.subscriptions]
    found += [("out", each.topic_name, each.msg_type, each.qos_profile) for each in node.publishers]
    found += [("service", each.srv_name, each.srv_type, None) for each in node.services]
    return [
        End(shown(node.resolve_topic_name(name), node), way, in_words(kind), "" if qos is None else quality(qos))
        for way, name, kind, qos in found
        if kind.__module__.partition(".")[0] not in OF_ROS | WHERE_INSTALLED
    ]


def shown(name: str, node: Any) -> str:
    """As a remap names it: image, ~/set_prompts, /diagnostics."""
    return name.replace(f"{node.get_fully_qualified_name()}/", "~/").replace(f"{NAMESPACE}/", "")


def in_words(kind: Any) -> str:
    return f"{kind.__module__.partition('.')[0]}/{kind.__name__}"


def quality(qos: QoSProfile) -> str:
    """Such as: reliable, 10."""
    reliable = "best effort" if qos.reliability == ReliabilityPolicy.BEST_EFFORT else "reliable"
    kept = ", transient local" if qos.durability == DurabilityPolicy.TRANSIENT_LOCAL else ""
    return f"{reliable}, {qos.depth}{kept}"


def what_for(end: End) -> str:
    if end.name not in WHAT_FOR:
        print(f"{Path(__file__).name}: say in WHAT_FOR what {end.name} ({end.type}) is for", file=sys.stderr)
        sys.exit(2)
    return WHAT_FOR[end.name]


def parameter_row(entry: Entry) -> tuple[str, ...]:
    """Name, type, default, range, whether it may change while the node is active, meaning."""
    annotation: Any = entry.field.annotation
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind, limits = ("string", ", ".join(choices)) if choices else (TYPES[annotation], bounds(entry))
    live = "yes" if entry.live else ""
    return f"`{entry.name}`", kind, f"`{json.dumps(entry.default)}`", limits, live, entry.field.description or ""


def bounds(entry: Entry) -> str:
    """Such as: 0 to 60000; from 0."""
    low = next((bound.ge for bound in entry.field.metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in entry.field.metadata if isinstance(bound, Le)), None)
    if low is None:
        return ""
    return f"from {low:.12g}" if high is None else f"{low:.12g} to {high:.12g}"


if __name__ == "__main__":
    main()
