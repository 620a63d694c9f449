"""What the sinks leave behind of a real run."""

import io
import itertools
import json

import pytest
from rich.console import Console

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Clip, EdgefuseError, Perceiver, Percept
from edgefuse.runtime.sinks import deliver
from edgefuse.runtime.sinks.console import LiveTable, percept_panel, summary
from edgefuse.runtime.sinks.jsonl import JsonLines
from edgefuse.runtime.sinks.statistics import RunStatistics
from edgefuse.runtime.sinks.timeline import Timeline
from edgefuse.runtime.streams.clip import sound_beside


@pytest.fixture(scope="module")
def percepts() -> list[Percept]:
    clip = Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False)
    return list(itertools.islice(Perceiver.open(DEFAULT_BUNDLE).perceive(clip), 90))


def printed(renderable) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


def test_json_lines_hold_what_is_documented(percepts, tmp_path):
    path = tmp_path / "percepts.jsonl"
    deliver(percepts, [JsonLines(str(path))])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["stamp_ns"] for line in lines] == [percept.stamp_ns for percept in percepts]
    last = lines[-1]
    assert set(last) == {
        "stamp_ns", "label", "confidence", "certain", "far_prompt", "scores", "senses", "agreement", "contradiction",
        "trace",
    }  # fmt: skip
    assert last["scores"][last["label"]] == max(last["scores"].values())
    assert set(last["senses"]["audio"]) == {"weight", "age_ms", "valid", "label"}
    assert sum(last["trace"]["stages_ms"].values()) == pytest.approx(last["trace"]["latency_ms"], abs=0.01)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(EdgefuseError, match="cannot be written: there is no directory"):
        JsonLines(str(tmp_path / "none" / "percepts.jsonl"))


def test_statistics_count_what_passed(percepts):
    statistics = RunStatistics()
    deliver(percepts, [statistics])
    assert statistics.percepts == len(percepts)
    assert statistics.rate_hz == pytest.approx(30, abs=0.5)
    assert statistics.labels.total() == len(percepts)
    assert statistics.sense("image").valid_share == 1
    assert statistics.sense("text").valid_share == 0
    assert 0 < statistics.latency_ms(50) <= statistics.latency_ms(99)
    weights = [percept.senses["audio"].weight for percept in percepts if percept.senses["audio"].valid]
    assert statistics.sense("audio").mean_weight == pytest.approx(sum(weights) / len(weights))


def test_the_terminal_shows_label_senses_ages_and_latency(percepts):
    statistics = RunStatistics()
    deliver(percepts, [statistics, LiveTable(Console(file=io.StringIO()), statistics)])
    shown = printed(percept_panel(percepts[-1], statistics))
    assert percepts[-1].label in shown
    assert "image" in shown
    assert "never" in shown, "text was never there"
    assert "latency p50" in shown
    said = printed(
        summary(
            statistics, {"image": 9, "audio": 4, "text": 0}, {"image": {"out_of_order": 3}, "audio": {}, "text": {}}
        )
    )
    assert "90 percepts at 30.0 Hz" in said
    assert "3 out of order" in said


def test_the_timeline_is_a_picture(tmp_path):
    import cv2

    path = tmp_path / "timeline.png"
    timeline = Timeline(path)
    clip = timeline.tap(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
    deliver(itertools.islice(Perceiver.open(DEFAULT_BUNDLE).perceive(clip), 90), [timeline])
    height, width, _ = cv2.imread(str(path)).shape
    assert width > 1000
    assert height > 700


def test_sinks_are_closed_also_after_an_error(percepts, tmp_path):
    path = tmp_path / "percepts.jsonl"

    def broken():
        yield percepts[0]
        raise EdgefuseError("gone")

    sink = JsonLines(str(path))
    with pytest.raises(EdgefuseError, match="gone"):
        deliver(broken(), [sink])
    assert len(path.read_text().splitlines()) == 1
    with pytest.raises(ValueError, match="closed"):
        sink.write(percepts[1])
