"""Camera node, microphone node and perception node on the default clip, each a process of its own."""

import json
import subprocess
import sys

import numpy as np
import pytest
from ros_domain import statuses
from ros_samples import CAMERA

from edgefuse.runtime import DEFAULT_CLIP

VIDEO, SOUND = DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav")
NS_PER_S = 1_000_000_000


@pytest.fixture(scope="module")
def fast_percepts() -> list[dict]:
    """What `edgefuse run --fast --jsonl -` says of the clip."""
    command = [sys.executable, "-m", "edgefuse", "run", str(VIDEO), "--fast", "--jsonl", "-"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def stamp_ns(message) -> int:
    return message.header.stamp.sec * NS_PER_S + message.header.stamp.nanosec


def start_on_the_clip(ros) -> int:
    """All three nodes, the clip's picture and sound beginning together; when, in ROS time [ns]."""
    ros.start("perception_node", autostart=True)
    lead_s = 8
    while True:  # until the machine is fast enough for the lead
        start_ns = ros.node.get_clock().now().nanoseconds + lead_s * NS_PER_S
        ros.start(*CAMERA, clip=VIDEO, clip_start_s=f"{start_ns / NS_PER_S:.9f}")
        ros.start("microphone_node", clip=SOUND, clip_start_s=f"{start_ns / NS_PER_S:.9f}")
        if ros.node.get_clock().now().nanoseconds < start_ns - NS_PER_S:
            return start_ns
        ros.stop("camera")
        ros.stop("microphone")
        lead_s *= 2


@pytest.mark.slow
def test_the_percepts_of_topics_are_those_of_the_clip(ros, fast_percepts):
    from diagnostic_msgs.msg import DiagnosticArray

    from edgefuse_msgs.msg import Percept

    percepts, diagnostics = ros.hear(Percept, "percepts"), ros.hear(DiagnosticArray, "/diagnostics")
    start_ns = start_on_the_clip(ros)
    ros.until(lambda: len(percepts) > 50, "percepts", 40)
    ros.spin(20)
    of_frames = [percept for percept in percepts if percept.senses[0].age_ms < 1]
    assert len(of_frames) > 0.9 * 612, "more than newest-wins on a busy computer explains"
    audio = statuses(diagnostics)["perception: audio"]
    assert not {pair.key for pair in audio.values} & {"dropped: gap", "dropped: out_of_order"}, "no sound is lost"
    stamps = np.array([each["stamp_ns"] for each in fast_percepts])
    by_frame = [(p, fast_percepts[np.abs(stamps - (stamp_ns(p) - start_ns)).argmin()]) for p in of_frames]
    same = np.mean([percept.label == fast["label"] for percept, fast in by_frame])
    apart = [np.abs(np.array(percept.scores) - list(fast["scores"].values())).max() for percept, fast in by_frame]
    assert same > 0.97
    assert np.median(apart) < 0.01
    assert all(percept.senses[1].valid for percept, _ in by_frame[30:])
