"""Stacks of nodes by turns: separate nodes, everything on board of one, and a naive node beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import Wish
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.figures import figure_from
from edgefuse.bench.report.result import NodeCost, RosResult
from edgefuse.bench.ros.heard import HeardPercept, HeardRound
from edgefuse.bench.ros.nodes import check_ros
from edgefuse.bench.ros.played import write_clip
from edgefuse.bench.ros.task import PLAYED_AFTER_S, STACKS, WARM_UP_S, Stack, Task
from edgefuse.bench.runs.run import Moment, Run, add_up, flow_from
from edgefuse.bench.runs.turns import take_turns
from edgefuse.fusion.progress import Progress

_MARGIN_S = 3.0
_TITLES: dict[Stack, str] = {
    "separate": "separate nodes",
    "onboard": "onboard node",
    "naive": "naive PyTorch node",
}


def measure_ros(variant: Variant, wish: Wish, directory: Path, progress: Progress) -> tuple[RosResult, ...]:
    """Stacks by turns, on a clip of the source; raises BenchError without ROS 2 or for a source without a picture."""
    check_ros()
    progress("ROS: the clip to play", 0, None)
    length_s = PLAYED_AFTER_S + WARM_UP_S + wish.extent.ros_s + _MARGIN_S
    video, sound = write_clip(variant.workload, wish.rate_hz, length_s, directory)
    turns = {}
    for stack in _choose_stacks(wish):
        task = Task(
            stack=stack,
            bundle=str(variant.bundle.directory.absolute()),
            backend=variant.backend,
            video=str(video),
            sound=str(sound),
            seconds=wish.extent.ros_s,
            checkpoint=wish.checkpoint,
        )
        turns[_TITLES[stack]] = partial(run_round, task, directory, progress)
    rounds = take_turns(turns, wish.extent.ros_rounds)
    senses = [sense.name for sense in variant.bundle.manifest.modalities]
    return tuple(result_from_rounds(title, rounds[title], senses, wish.rate_hz) for title in rounds)


def _choose_stacks(wish: Wish) -> list[Stack]:
    if "torch" not in wish.peers:
        return [stack for stack in STACKS if stack != "naive"]
    if not str(wish.checkpoint).endswith(".safetensors"):
        raise BenchError("--ros --vs torch: the naive node runs a checkpoint.safetensors of the built-in network only")
    return list(STACKS)


def run_round(task: Task, directory: Path, progress: Progress) -> HeardRound:
    """One stack for one round, in a process that imports rclpy; its files are in `directory`. Raises BenchError."""
    progress(f"ROS: {_TITLES[task.stack]}", 0, None)
    file = directory / f"{task.stack}.json"
    file.write_text(task.model_dump_json())
    domain = str(10 + os.getpid() % 90)
    environment = os.environ | {"ROS_DOMAIN_ID": domain, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "edgefuse.bench.ros.one_round", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise BenchError((done.stderr.strip().splitlines() or ["--ros: the nodes gave nothing"])[-1])
    heard = HeardRound.model_validate_json(done.stdout.splitlines()[-1])
    if len(heard.percepts) < 3:
        raise BenchError(f"--ros: {len(heard.percepts)} percepts of {_TITLES[task.stack]} are too few to measure")
    return heard


def result_from_rounds(title: str, rounds: Sequence[HeardRound], senses: Sequence[str], rate_hz: float) -> RosResult:
    frames = [_count_frames(one.percepts, rate_hz) for one in rounds]
    return RosResult(
        stack=title,
        flow=flow_from([_run_from_round(one, senses) for one in rounds], senses),
        heard_ms=figure_from([[(p.heard_ns - p.stamp_ns) / 1e6 for p in one.percepts] for one in rounds]),
        jitter_ms=figure_from([jitter_ms([p.heard_ns for p in one.percepts]) for one in rounds]),
        nodes={name: _add_up_costs([one.nodes[name] for one in rounds]) for name in rounds[0].nodes},
        frames=sum(played for played, _ in frames),
        unanswered=sum(played - answered for played, answered in frames),
        dropped=add_up([one.dropped for one in rounds]),
    )


def jitter_ms(heard_ns: Sequence[int]) -> np.ndarray:
    """How much each time between two percepts differs from the one before, as ros2_benchmark has it."""
    return np.abs(np.diff(heard_ns, n=2)) / 1e6


def _run_from_round(heard: HeardRound, senses: Sequence[str]) -> Run:
    return Run(
        moments=[_moment_from_percept(percept) for percept in heard.percepts],
        calls=(),
        start_ns=0,
        seconds=heard.seconds,
        cpu_s=heard.seconds * sum(node.cpu_share for node in heard.nodes.values()),
        overtaken={sense: heard.dropped.get(f"{sense} overtaken", 0) for sense in senses},
    )


def _moment_from_percept(percept: HeardPercept) -> Moment:
    stamp_ns = percept.stamp_ns
    evidence_ns = {sense: stamp_ns - round(age * 1e6) for sense, age in percept.ages_ms.items()}
    return Moment(stamp_ns, stamp_ns + round(1e6 * sum(percept.stages_ms.values())), evidence_ns, percept.stages_ms)


def _count_frames(percepts: Sequence[HeardPercept], rate_hz: float) -> tuple[int, int]:
    """How many were played between the first and the last percept, and how many of them came to one."""
    stamps_ns = {percept.stamp_ns for percept in percepts}
    played = round((max(stamps_ns) - min(stamps_ns)) * rate_hz / 1e9) + 1
    return played, min(played, len(stamps_ns))


def _add_up_costs(rounds: Sequence[NodeCost]) -> NodeCost:
    return NodeCost(
        cpu_share=float(np.median([one.cpu_share for one in rounds])),
        memory_mb=float(np.max([one.memory_mb for one in rounds])),
    )
