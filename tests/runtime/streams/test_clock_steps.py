"""Where a recording's clock was set back, another run begins, and what was sensed on either side is not mixed."""

import json
import logging
import random
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import edgefuse
from foreign_bags import IMAGE, INFO, SCENE_MS, SOUND, TEXT, Note, by_humble, by_mcap, scene, split
from robot_bags import EPOCH_NS, MS

from edgefuse.runtime import DEFAULT_BUNDLE, Frame, Perceiver, Text
from edgefuse.runtime.streams.recording import Recording

DAY_MS = 24 * 3600 * 1000
YEAR_MS = 365 * DAY_MS


@pytest.fixture(scope="module")
def perceiver() -> Perceiver:
    return Perceiver.open(DEFAULT_BUNDLE, selftest=False)


def percepts_of(perceiver: Perceiver, path: Path) -> list[dict]:
    recording = Recording(path, live=False)
    return [percept.as_json() | {"trace": None} for percept in perceiver.perceive(recording)]


def from_its_beginning(percepts: list[dict]) -> list[str]:
    begin_ns = percepts[0]["stamp_ns"]
    return [json.dumps(percept | {"stamp_ns": percept["stamp_ns"] - begin_ns}) for percept in percepts]


@pytest.fixture(scope="module")
def expected(perceiver, tmp_path_factory) -> list[str]:
    """The percepts of the scene alone."""
    return from_its_beginning(percepts_of(perceiver, by_mcap(tmp_path_factory.mktemp("scene") / "bag", scene())))


def later(ms: float, own_ms: float | None = None) -> list[Note]:
    return [note.later(ms, own_ms) for note in scene()]


def jittered(notes: list[Note], ms: int) -> list[Note]:
    """Stored in another order than they were logged in, but each topic's own."""
    chance, delays = random.Random(7), dict[str, int]()
    for note in notes:
        delays.setdefault(note.topic, chance.randrange(ms))
    places = sorted(range(len(notes)), key=lambda place: place * SCENE_MS / len(scene()) + delays[notes[place].topic])
    return [notes[place] for place in places]


def by_topic(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: note.topic)


def camera_set(ms: float, between: tuple[int, int]) -> list[Note]:
    """The camera's own clock, between those times, is so far ahead of the others'."""

    def of(note: Note) -> Note:
        since_ms = (note.log_ns - EPOCH_NS) / MS
        return note.later(0, ms) if note.type == IMAGE and between[0] <= since_ms < between[1] else note

    return [of(note) for note in scene()]


TWICE = {
    "two recordings in one file": (by_mcap, [*scene(), *later(0)], r"its clock is set back by 1\.[45] s after 1\.5 s"),
    "the same, in sqlite3": (by_humble, [*scene(), *later(0)], r"its clock is set back by 1\.[45] s after 1\.5 s"),
    "a recorder that was started again with its clock wrong": (
        lambda path, notes: split(path, notes, parts=2),
        [*scene(), *later(-YEAR_MS)],
        r"its clock is set back by 3153600\d\.\d s",
    ),
    "a clock that was corrected by less than a second": (
        by_mcap,
        [*scene(), *later(700)],
        r"its clock is set back by 0\.[78] s after 1\.5 s",
    ),
    "stored in a jittered order": (
        by_mcap,
        jittered([*scene(), *later(-10_000)], 200),
        r"its clock is set back by 11\.\d s",
    ),
}


@pytest.mark.parametrize("kind", TWICE)
def test_two_moments_are_perceived_apart(kind, perceiver, expected, tmp_path, caplog):
    write, notes, line = TWICE[kind]
    path = write(tmp_path / "bag", notes)
    percepts = percepts_of(perceiver, path)
    first, second = percepts[: len(expected)], percepts[len(expected) :]
    assert from_its_beginning(first) == expected
    assert from_its_beginning(second) == expected, "as if the second moment were a recording of its own"
    assert second[0]["stamp_ns"] > first[-1]["stamp_ns"] + 900 * MS, "time goes on all the same"
    assert perceiver.set_back() == 1
    assert not any(perceiver.drops().values()), "nothing is lost"
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert re.search(line, warning)
    assert warning.endswith(": a new run begins there")


ONCE = {
    "topics stored in a jittered order": (by_mcap, jittered(list(scene()), 300)),
    "topic by topic": (by_mcap, by_topic(list(scene()))),
    "files whose times overlap": (split, jittered(list(scene()), 300)),
    "in sqlite3, in a jittered order": (by_humble, jittered(list(scene()), 300)),
}


@pytest.mark.parametrize("kind", ONCE)
def test_what_is_stored_in_another_order_is_one_moment(kind, perceiver, expected, tmp_path, caplog):
    write, notes = ONCE[kind]
    assert from_its_beginning(percepts_of(perceiver, write(tmp_path / "bag", notes))) == expected
    assert perceiver.set_back() == 0
    assert not caplog.records


def test_one_message_that_was_stored_late_sets_nothing_back(perceiver, expected, tmp_path):
    notes = list(scene())
    first = next(note for note in notes if note.type == IMAGE)
    notes.remove(first)
    notes.insert(len(notes) // 2, first)
    percepts = percepts_of(perceiver, by_mcap(tmp_path / "bag", notes))
    assert len(percepts) == len(expected) - 1
    assert perceiver.set_back() == 0
    assert perceiver.drops()["image"] == {"out_of_order": 1}


def samples_by_run(path: Path) -> list[list]:
    samples = list(Recording(path, live=False))
    runs = [[sample for sample in samples if sample.run == run] for run in range(samples[-1].run + 1)]
    assert samples == [sample for run in runs for sample in run], "one after another"
    return runs


def test_a_camera_whose_own_clock_is_set_back_begins_a_run_for_all(tmp_path, caplog):
    """The log's clock goes on; half the scene later."""
    before, after = samples_by_run(by_mcap(tmp_path / "bag", camera_set(-2000, (750, 9999))))
    assert {sample.modality for sample in before} == {"image", "audio", "text"}
    assert {sample.modality for sample in after} == {"image", "audio"}
    frames = sum(isinstance(sample, Frame) for sample in (*before, *after))
    assert frames == sum(note.type == IMAGE for note in scene()), "none is lost"
    sound = [sample for sample in before if sample.modality == "audio"]
    assert 0.7e9 < sound[-1].until_ns - sound[0].stamp_ns < 0.8e9
    assert "the stamps of /camera/compressed are set back by 1.9 s after 0.7 s" in caplog.text


def test_a_camera_whose_clock_was_not_set_yet_is_stamped_by_the_log_until_it_is(tmp_path, caplog):
    before, after = samples_by_run(by_mcap(tmp_path / "bag", camera_set(-YEAR_MS, (0, 750))))
    for run in (before, after):
        stamps = [sample.until_ns for sample in run]
        assert stamps == sorted(stamps)
        assert 0.6e9 < stamps[-1] - stamps[0] < 0.8e9, "pictures and sound side by side"
        assert {sample.modality for sample in run} >= {"image", "audio"}
    assert "the stamps of /camera/compressed are set forward by 31536000.0 s after 0.7 s" in caplog.text
    assert "the stamps of /camera/compressed are not on the log's clock; log times are used" in caplog.text


def test_a_message_whose_stamp_is_damaged_is_skipped(tmp_path, caplog):
    notes = list(scene())
    place = [note.type for note in notes].index(IMAGE)
    notes[place] = notes[place].later(0, own_ms=-YEAR_MS)
    (samples,) = samples_by_run(by_mcap(tmp_path / "bag", notes))
    assert sum(isinstance(sample, Frame) for sample in samples) == sum(note.type == IMAGE for note in notes) - 1
    assert "it is stamped 31536000 s off the time at which it was logged" in caplog.text


def test_stamps_that_are_zero_give_way_to_the_log(tmp_path, caplog):
    notes = [replace(note, own_ns=0) if note.type == IMAGE else note for note in scene()]
    (samples,) = samples_by_run(by_mcap(tmp_path / "bag", notes))
    logged = [note.log_ns for note in notes if note.type == IMAGE]
    stamps = [sample.stamp_ns for sample in samples if isinstance(sample, Frame)]
    assert [stamp - stamps[0] for stamp in stamps] == [log_ns - logged[0] for log_ns in logged]
    assert "the stamps of /camera/compressed are zero; its log times are used" in caplog.text


def test_what_is_said_now_and_then_is_of_the_moment_it_was_said_in(tmp_path):
    """Not often enough to show by itself that time was set back."""
    said = [Note("/speech", TEXT, EPOCH_NS + ms * MS, None, f"{ms}") for ms in (100, 1400, 800)]
    others = [note for note in scene() if note.type in (IMAGE, SOUND)]
    for texts, where in ((said[:2], 0), (said[2:], 1)):
        notes = [*sorted([*others, *said[:2]], key=lambda note: note.log_ns)]
        notes += sorted([*others, *said[2:]], key=lambda note: note.log_ns)
        runs = samples_by_run(by_mcap(tmp_path / f"bag{where}", notes))
        assert [sample.text for sample in runs[where] if isinstance(sample, Text)] == [text.content for text in texts]


def test_topics_that_were_stored_one_after_another_are_each_divided(tmp_path, caplog):
    notes = [note for note in (*scene(), *later(0)) if note.type in (IMAGE, SOUND, INFO)]
    first, second = samples_by_run(by_mcap(tmp_path / "bag", by_topic(notes)))
    assert len(first) == len(second)
    ahead_ns = {after.stamp_ns - before.stamp_ns for before, after in zip(first, second, strict=True)}
    assert ahead_ns == {second[0].stamp_ns}
    assert len(caplog.records) == 1


def test_a_bag_that_was_looped_while_it_was_recorded(perceiver, tmp_path, caplog):
    """The log goes on, the stamps of a day before come again."""
    notes = [*later(0, own_ms=-DAY_MS), *later(SCENE_MS + 200, own_ms=-DAY_MS)]
    percepts = percepts_of(perceiver, by_mcap(tmp_path / "bag", notes))
    half = len(percepts) // 2
    assert from_its_beginning(percepts[:half]) == from_its_beginning(percepts[half:])
    assert perceiver.set_back() == 1
    assert re.search(r"the stamps of /\S+ are set back by 1\.[45] s after 1\.5 s: a new run begins", caplog.text)
    assert "the stamps of /audio, /camera/compressed are not on the log's clock; log times are used" in caplog.text


def test_a_bag_that_was_looped_often_is_said_in_one_line(perceiver, expected, tmp_path, caplog):
    notes = [note for _ in range(4) for note in scene()]
    percepts = percepts_of(perceiver, by_mcap(tmp_path / "bag", notes))
    assert len(percepts) == 4 * len(expected)
    assert perceiver.set_back() == 3
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "after 1.5 s, and clocks 2 times more: a new run begins there" in warning


def test_in_real_time_a_second_moment_goes_on_a_second_later(tmp_path):
    short = [note for note in scene() if note.log_ns < EPOCH_NS + 300 * MS]
    path = by_mcap(tmp_path / "bag", [*short, *short])
    late_ns, runs = [], []
    for sample in Recording(path, live=True):
        late_ns.append(time.monotonic_ns() - sample.until_ns)
        runs.append((sample.run, sample.stamp_ns))
    assert min(late_ns) >= 0
    first, second = ([stamp_ns for run, stamp_ns in runs if run == number] for number in (0, 1))
    assert len(first) == len(second)
    assert 0.9e9 < second[0] - first[-1] < 1.1e9


def test_the_command_line_says_it_and_shows_the_count_at_the_end(tmp_path):
    path = by_mcap(tmp_path / "bag", [*scene(), *later(0)])
    result = edgefuse("run", path, "--fast")
    assert result.returncode == 0, result.stderr
    (warning,) = result.stderr.strip().splitlines()
    assert warning.startswith(f"edgefuse: warning: {path}: its clock is set back by 1.")
    assert "time was set back, and a new run began: once" in result.stdout
