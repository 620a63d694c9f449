"""Every sink takes the percepts of a network that says nothing but the scores, of two cameras and a signal."""

import io
import json
import math

import cv2
import numpy as np
import pytest
from rich.console import Console
from rosbags.highlevel import AnyReader
from sealed import edit
from small_networks import IMU_HZ, image, imu, write_bundle

from edgefuse.runtime import Bundle, Frame, Perceiver, Signal, Stream
from edgefuse.runtime.sinks import deliver
from edgefuse.runtime.sinks.console import percept_panel, summary
from edgefuse.runtime.sinks.jsonl import JsonLines
from edgefuse.runtime.sinks.recorder import Recorder
from edgefuse.runtime.sinks.statistics import RunStatistics
from edgefuse.runtime.sinks.timeline import Timeline
from edgefuse.runtime.sinks.viewer import Viewer
from edgefuse.runtime.streams.recording import Recording

MS = 1_000_000
FUSION = """
fusion (float[batch, 3] left_embedding, float[batch, 3] right_embedding, float[batch, 3] imu_embedding,
        bool[batch, 3] present) => (float[batch, 3] scores) {
  all = Sum(left_embedding, right_embedding, imu_embedding)
  told = Cast<to = 1>(present)
  shown = Mul(all, told)
  scores = Softmax<axis = -1>(shown)
}"""


class Samples(Stream):
    """A second of two cameras and an inertial sensor."""

    live = False

    def __iter__(self):
        left, right = (np.full((48, 64, 3), level, np.uint8) for level in (50, 200))
        for n in range(25):
            yield Frame(40 * n * MS, left, "rgb8", "left")
            yield Frame((40 * n + 1) * MS, right, "rgb8", "right")
            yield Signal((40 * n + 1) * MS, np.full((4, 3), n, np.float32), IMU_HZ, 4 * n, "imu")

    def close(self):
        pass


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    senses = [image("left"), image("right"), imu()]
    path = write_bundle(tmp_path_factory.mktemp("any") / "bundle", senses, FUSION)
    return Bundle.open(edit(path, lambda manifest: manifest.update(background="blue")))


@pytest.fixture(scope="module")
def percepts(bundle):
    percepts = list(Perceiver(bundle).perceive(Samples()))
    assert len(percepts) == 25
    assert percepts[-1].senses["imu"].valid
    return percepts


def printed(renderable) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


def test_the_terminal_shows_a_dash(percepts):
    statistics = RunStatistics()
    deliver(percepts, [statistics])
    rows = printed(percept_panel(percepts[-1], statistics)).splitlines()
    (row,) = (row.split() for row in rows if "left" in row)
    assert row[1:3] == ["left", "-"], "no weight"
    assert row[-2] == "-", "says nothing by itself"
    assert statistics.sense("left").mean_weight is None
    shown = printed(summary(statistics, ("left", "right", "imu"), {"left": {}, "right": {}, "imu": {}}))
    assert "25 percepts" in shown


def test_json_holds_null(percepts, tmp_path):
    deliver(percepts, [JsonLines(str(tmp_path / "percepts.jsonl"))])
    last = json.loads((tmp_path / "percepts.jsonl").read_text().splitlines()[-1])
    assert last["senses"]["right"] == {"weight": None, "age_ms": 39, "valid": True, "label": None}
    assert last["agreement"] is None


def test_the_timeline_shows_the_first_camera(bundle, tmp_path):
    path = tmp_path / "timeline.png"
    timeline = Timeline(path)
    deliver(Perceiver(bundle).perceive(timeline.tap(Samples())), [timeline])
    grey = cv2.imread(str(path)).mean(axis=2)
    left, right = ((abs(grey - level) < 3).sum() for level in (50, 200))
    assert left > 50 * right, "the left one came first"


def test_the_viewer_shows_both_cameras(bundle, tmp_path):
    viewer = Viewer(tmp_path / "run.rrd", bundle.manifest)
    deliver(Perceiver(bundle).perceive(viewer.tap(Samples())), [viewer])
    assert (tmp_path / "run.rrd").stat().st_size > 1000


def test_a_recording_has_a_topic_for_each_and_replays_to_the_same_percepts(bundle, percepts, tmp_path):
    path = tmp_path / "run.mcap"
    recorder = Recorder(path, bundle, image_format="png")
    deliver(Perceiver(bundle).perceive(recorder.tap(Samples())), [recorder])
    with AnyReader([path]) as reader:
        assert {connection.topic for connection in reader.connections} == {
            "/edgefuse/left/compressed", "/edgefuse/right/compressed", "/edgefuse/imu", "/edgefuse/percepts",
        }  # fmt: skip
        told = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages() if "Percept" in c.msgtype]
    assert list(told[-1].embedding) == []
    assert math.isnan(told[-1].agreement)
    assert all(math.isnan(sense.weight) and math.isnan(sense.confidence) for sense in told[-1].senses)
    assert told[-1].label == percepts[-1].label
    replayed = Recording(path, live=False, senses=bundle.manifest.modalities)
    again = list(Perceiver(bundle).perceive(replayed))
    assert [percept.scores for percept in again] == [percept.scores for percept in percepts]
