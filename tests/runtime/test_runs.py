"""One perceiver serves many runs, and a run goes on when its time is set back."""

import itertools
import threading
import time

import numpy as np
import pytest

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    AudioChunk,
    Bundle,
    Clip,
    EdgefuseError,
    Frame,
    Perceiver,
    Text,
)
from edgefuse.runtime.streams.clip import sound_beside

MS = 1_000_000
RATE_HZ = 16_000
BLOCK = 320
FRAME = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
SOUND = np.random.default_rng(1).normal(0, 0.05, BLOCK).astype(np.float32)


@pytest.fixture(scope="module")
def perceiver() -> Perceiver:
    """One for all tests of this module: each begins a run of its own."""
    return Perceiver.open(DEFAULT_BUNDLE, selftest=False)


def clip(live: bool) -> Clip:
    return Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live)


def content(percepts, most: int) -> list[dict]:
    return [percept.as_json() | {"trace": None} for percept in itertools.islice(percepts, most)]


class Clock:
    """The clock that samples are stamped on; tests set it."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def __call__(self) -> int:
        return round(self.now_ms * MS)


class Robot:
    """Pushes a frame every 40 ms and sound every 20 ms, as a ROS node does, and steps."""

    def __init__(self, perceiver: Perceiver, clock: Clock) -> None:
        self.perceiver, self.clock = perceiver, clock
        self.heard = 0

    def live(self, milliseconds: int) -> list:
        """The percepts of so much time; frames and sound are stamped by the clock."""
        percepts = []
        for step in range(milliseconds // 20):
            self.clock.now_ms += 20
            self.perceiver.push(AudioChunk(self.clock() - 20 * MS, SOUND, RATE_HZ, self.heard))
            self.heard += BLOCK
            if step % 2:
                self.perceiver.push(Frame(self.clock(), FRAME))
            percepts += [percept] if (percept := self.perceiver.step()) else []
        return percepts


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def robot(clock) -> Robot:
    return Robot(Perceiver(Bundle.open(DEFAULT_BUNDLE), now_ns=clock, selftest=False), clock)


def hears(percepts) -> list[bool]:
    return [percept.senses["audio"].valid for percept in percepts]


def test_a_clip_perceived_twice_by_one_perceiver_gives_the_same_percepts(perceiver):
    first = content(perceiver.perceive(clip(live=False)), 60)
    assert len(first) == 60
    assert content(perceiver.perceive(clip(live=False)), 60) == first


def test_what_is_counted_is_of_one_run(perceiver):
    list(itertools.islice(perceiver.perceive(clip(live=False)), 60))
    before = perceiver.drops()
    list(itertools.islice(perceiver.perceive(clip(live=False)), 60))
    assert perceiver.drops() == before


def test_a_live_run_after_a_fast_one_hears_and_says_how_late_it_received(perceiver):
    list(itertools.islice(perceiver.perceive(clip(live=False)), 60))
    percepts = list(itertools.islice(perceiver.perceive(clip(live=True)), 60))
    assert any(hears(percepts))
    assert any(percept.trace.stages_ms["receive"] > 0 for percept in percepts)


def test_a_new_microphone_in_a_later_run_is_heard_at_once(robot):
    perceiver = robot.perceiver
    assert all(hears(robot.live(3000))[60:])
    percepts = perceiver.perceive()
    robot.clock.now_ms += 20
    perceiver.push(Frame(robot.clock(), FRAME))
    next(percepts)
    perceiver.close()
    assert list(percepts) == []
    robot.heard = 0
    assert all(hears(robot.live(3000))[60:])


def test_a_driver_that_counts_anew_is_heard_on_in_the_same_run(robot):
    robot.live(3000)
    robot.clock.now_ms += 500
    robot.heard = 0
    assert all(hears(robot.live(2000))[30:])
    assert robot.perceiver.drops()["audio"]["gap"] == RATE_HZ // 2


def test_a_clock_that_is_reset_does_not_blind(robot, caplog):
    robot.live(20_000)
    robot.clock.now_ms = 0
    percepts = robot.live(3000)
    assert len(percepts) >= 70
    assert all(hears(percepts)[-20:])
    assert "went back by 20.0 s" in caplog.text


def test_a_bag_that_loops_does_not_blind(robot):
    """Stamps and counts go back, the clock does not."""
    perceiver, clock = robot.perceiver, robot.clock
    clock.now_ms = 1e6

    def play() -> list:
        percepts = []
        for number in range(150):
            perceiver.push(AudioChunk(number * 20 * MS, SOUND, RATE_HZ, number * BLOCK))
            if number % 2:
                perceiver.push(Frame((number + 1) * 20 * MS, FRAME))
            percepts += [percept] if (percept := perceiver.step()) else []
        return percepts

    first = play()
    again = play()
    assert len(again) >= len(first) - 5
    assert all(hears(again)[-20:])
    assert sum(perceiver.drops()["image"].values()) <= 5, "only until it is sure are frames refused, and counted"


def test_single_samples_that_come_late_do_not_set_a_run_back(robot):
    robot.live(2000)
    for late_ms in (500, 500, 400, 1000, 300):
        assert not robot.perceiver.push(Frame(robot.clock() - late_ms * MS, FRAME))
        assert robot.live(40)
    assert robot.perceiver.drops()["image"]["out_of_order"] == 5


def test_another_source_that_lags_behind_does_not_set_a_run_back_for_ever(robot):
    """Two cameras on one topic, one of them a second late."""
    perceiver = robot.perceiver
    robot.live(2000)
    for _ in range(20):
        assert not perceiver.push(Frame(robot.clock() - 1000 * MS, FRAME))
        assert robot.live(40)[-1].senses["audio"].valid
    assert perceiver.drops()["image"]["out_of_order"] == 20


def test_a_second_run_beside_a_first_is_refused(perceiver):
    percepts = perceiver.perceive(clip(live=False))
    next(percepts)
    with pytest.raises(EdgefuseError, match="perceiving already"):
        perceiver.perceive(clip(live=False))
    percepts.close()
    assert next(perceiver.perceive(clip(live=False)))


def test_what_was_pushed_before_a_live_run_belongs_to_it(perceiver):
    percepts = perceiver.perceive()
    assert perceiver.push(Text(time.monotonic_ns(), "a red ball"))
    assert next(percepts).senses["text"].valid
    perceiver.close()
    assert list(percepts) == []


def test_a_run_does_not_speak_of_what_an_earlier_one_sensed(perceiver):
    percepts = perceiver.perceive()
    perceiver.push(Text(time.monotonic_ns(), "a red ball"))
    next(percepts)
    perceiver.close()
    list(percepts)
    perceiver.push(Frame(time.monotonic_ns(), FRAME))
    assert not perceiver.step().senses["text"].valid


def test_closing_when_nothing_runs_does_not_end_the_next_run(perceiver):
    list(itertools.islice(perceiver.perceive(clip(live=False)), 5))
    perceiver.close()
    pushing = threading.Timer(0.05, lambda: perceiver.push(Frame(time.monotonic_ns(), FRAME)))
    percepts = perceiver.perceive()
    pushing.start()
    assert next(percepts).senses["image"].valid
    perceiver.close()
    assert list(percepts) == []


def test_a_sensor_that_waits_between_two_sensors_is_no_clock_that_went_back():
    """On a busy machine a thread may be stopped anywhere, also after it has looked at the clock."""
    looked, elsewhere = threading.Event(), threading.Event()
    clock = itertools.count(1000 * MS, 500 * MS)

    def now_ns() -> int:
        now = next(clock)
        if threading.current_thread().name == "stopped":
            looked.set()
            elsewhere.wait(0.5)
        return now

    perceiver = Perceiver(Bundle.open(DEFAULT_BUNDLE), selftest=False, now_ns=now_ns)
    pixels = np.zeros((48, 64, 3), np.uint8)
    stopped = threading.Thread(target=perceiver.push, args=(Frame(1, pixels),), name="stopped")
    stopped.start()
    assert looked.wait(10)
    perceiver.push(AudioChunk(2, np.zeros(320, np.float32), 16_000, 0))
    elsewhere.set()
    stopped.join()
    assert perceiver.set_back() == 0
