"""`edgefuse bench --ros`: nodes as processes, heard by another."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import QUICK, Wish
from edgefuse.bench.load.workload import Workload, workload_from
from edgefuse.bench.report.page import page_from_result
from edgefuse.bench.report.result import NodeCost, Result
from edgefuse.bench.ros import nodes, stacks
from edgefuse.bench.ros.heard import HeardPercept, HeardRound
from edgefuse.bench.ros.played import HEIGHT, WIDTH, write_clip
from edgefuse.bench.ros.stacks import jitter_ms, result_from_rounds, run_round
from edgefuse.bench.ros.task import Task
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Bundle, Clip, Frame

MISSING = [name for name in nodes.NEEDED if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="module")
def workload() -> Workload:
    return workload_from(Bundle.open(DEFAULT_BUNDLE).manifest, DEFAULT_CLIP)


def task(files: tuple[Path, Path], **changed: object) -> Task:
    """The onboard node on the default bundle for a second."""
    video, sound = map(str, files)
    asked = Task(
        stack="onboard",
        bundle=str(DEFAULT_BUNDLE),
        backend="auto",
        video=video,
        sound=sound,
        seconds=1.0,
        checkpoint=None,
    )
    return asked.model_copy(update=changed)


def heard_round(*heard_ms: float) -> HeardRound:
    """Percepts of frames that come every 100 ms, each heard so long after its frame; the second frame had none."""
    percepts = [
        HeardPercept(
            stamp_ns=number * 10**8,
            heard_ns=round(number * 1e8 + late * 1e6),
            ages_ms={"image": 0.0},
            stages_ms={"receive": 1.0, "fuse": 2.0},
        )
        for number, late in zip([0, 2, 3, 4], heard_ms, strict=True)
    ]
    costs = {"onboard": NodeCost(cpu_share=0.25, memory_mb=200.0)}
    return HeardRound(seconds=0.5, percepts=tuple(percepts), nodes=costs, dropped={"image overtaken": 1})


def test_jitter_is_the_second_difference_of_the_times_of_hearing():
    assert jitter_ms([0, 10_000_000, 30_000_000, 31_000_000]) == pytest.approx([10, 19])
    assert jitter_ms([0, 5, 10, 15]) == pytest.approx([0, 0])


def test_a_result_says_what_was_lost_and_what_it_cost():
    result = result_from_rounds("onboard node", [heard_round(4.0, 5.0, 6.0, 5.0)] * 2, ["image"], rate_hz=10.0)
    assert (result.frames, result.unanswered) == (10, 2)
    assert result.flow.latency_ms.p50 == pytest.approx(3.0)
    assert result.heard_ms.p50 == pytest.approx(5.0)
    assert result.flow.percepts_hz == pytest.approx(8.0)
    assert result.flow.cpu_per_percept_ms.p50 == pytest.approx(125 / 4)
    assert result.flow.overtaken == {"image": 2}


def test_the_page_shows_every_stack(twice: Result):
    stacks = [
        result_from_rounds(stack, [heard_round(4.0, 5.0, 6.0, 5.0)], ["image"], 10.0)
        for stack in ("separate", "onboard")
    ]
    page = page_from_result(twice.model_copy(update={"ros": tuple(stacks)}))
    assert "Across ROS nodes" in page
    assert page.count("1 of 5") == 2


def test_the_clip_is_as_long_as_it_is_needed_and_of_a_usual_size(workload: Workload, tmp_path: Path):
    video, sound = write_clip(workload, 30.0, 12.0, tmp_path)
    frames = [sample for sample in Clip(video, sound, live=False) if isinstance(sample, Frame)]
    assert len(frames) == 360
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
    first = next(iter(Clip(DEFAULT_CLIP, None, live=False)))
    assert isinstance(first, Frame)
    assert np.abs(frames[0].image.mean((0, 1)) - first.image.mean((0, 1))).max() < 8


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not found: `make ros`")
def test_the_onboard_node_is_heard(workload: Workload, tmp_path: Path):
    heard = run_round(task(write_clip(workload, 30.0, 8.0, tmp_path)), tmp_path, lambda stage, done, total: None)
    assert len(heard.percepts) > 20
    assert all(percept.heard_ns > percept.stamp_ns for percept in heard.percepts)
    assert 0 < heard.nodes["onboard"].cpu_share < 1.5
    assert {"image", "audio"} <= set(heard.percepts[-1].ages_ms)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not found: `make ros`")
def test_a_node_that_ends_is_one_line_with_its_own_words(workload: Workload, tmp_path: Path):
    broken = task((tmp_path / "no.mp4", tmp_path / "no.wav"), stack="naive", checkpoint="/nowhere/at.all")
    with pytest.raises(BenchError, match=r"the node naive ended: .*/nowhere/at\.all"):
        run_round(broken, tmp_path, lambda stage, done, total: None)


def test_without_ros_it_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match="rclpy, edgefuse_msgs, edgefuse_ros not found: `make ros`"):
        nodes.check_ros()


def act(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str) -> None:
    """Let a shell script stand for the process that imports rclpy."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{lines}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def round_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str) -> HeardRound:
    act(monkeypatch, tmp_path, lines)
    return run_round(task((tmp_path / "a.mp4", tmp_path / "a.wav")), tmp_path, lambda stage, done, total: None)


def test_a_round_is_what_its_process_says_last(monkeypatch, tmp_path):
    whole = heard_round(4.0, 5.0, 6.0, 5.0)
    (tmp_path / "said.json").write_text(f"rclpy has something to say\n{whole.model_dump_json()}\n")
    assert round_of(monkeypatch, tmp_path, f"cat {tmp_path}/said.json") == whole
    asked = Task.model_validate_json((tmp_path / "onboard.json").read_bytes())
    assert (asked.stack, asked.bundle) == ("onboard", str(DEFAULT_BUNDLE))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("echo Traceback >&2; echo 'the node camera ended: no clip' >&2; exit 1", "the node camera ended: no clip"),
        ("exit 3", "--ros: the nodes gave nothing"),
    ],
)
def test_a_round_that_failed_is_one_line(monkeypatch, tmp_path, lines, said):
    with pytest.raises(BenchError) as refusal:
        round_of(monkeypatch, tmp_path, lines)
    assert str(refusal.value) == said


def test_two_percepts_have_no_jitter_and_are_too_few(monkeypatch, tmp_path):
    few = heard_round(4.0, 5.0, 6.0, 5.0)
    few = few.model_copy(update={"percepts": few.percepts[:2]})
    (tmp_path / "said.json").write_text(few.model_dump_json())
    with pytest.raises(BenchError, match="--ros: 2 percepts of onboard node are too few to measure"):
        round_of(monkeypatch, tmp_path, f"cat {tmp_path}/said.json")


def wish(*peers: str, checkpoint: str | None = None) -> Wish:
    return Wish("clip", 30.0, QUICK, peers=peers, checkpoint=checkpoint, ros=True)


def test_the_naive_node_is_run_beside_ours_for_who_asks_for_pytorch():
    assert stacks._choose_stacks(wish()) == ["separate", "onboard"]
    assert stacks._choose_stacks(wish("ort", checkpoint="x.safetensors")) == ["separate", "onboard"]
    assert stacks._choose_stacks(wish("torch", checkpoint="x.safetensors")) == ["separate", "onboard", "naive"]


@pytest.mark.parametrize("checkpoint", ["base", "recipe.py", None])
def test_a_network_that_the_naive_node_cannot_run_is_refused(checkpoint):
    with pytest.raises(BenchError, match=r"the naive node runs a checkpoint\.safetensors of the built-in network only"):
        stacks._choose_stacks(wish("torch", checkpoint=checkpoint))


def test_what_a_node_takes_is_its_usual_time_and_its_most_memory():
    costs = [NodeCost(cpu_share=share, memory_mb=memory) for share, memory in ((0.1, 90.0), (0.2, 120.0), (0.9, 100.0))]
    assert stacks._add_up_costs(costs) == NodeCost(cpu_share=0.2, memory_mb=120.0)


def test_a_bundle_that_does_not_hear_has_no_clip(workload: Workload, tmp_path: Path):
    deaf = Workload(workload.source, workload.senses[:1], workload.contents, ())
    with pytest.raises(BenchError, match="--ros plays pictures and sound, and the bundle has no audio"):
        write_clip(deaf, 30.0, 1.0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_round_comes_back_from_its_process_as_it_was():
    whole = heard_round(4.0, 5.0, 6.0, 5.0)
    assert HeardRound.model_validate_json(whole.model_dump_json()) == whole
