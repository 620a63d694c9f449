"""The audio clock, in virtual time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefuse.runtime.streams.audio_clock import AudioClock

RATE_HZ = 48_000
BLOCK = 960
BLOCK_MS = 20.0
START_NS = 5_000_000_000_000


class VirtualCard:
    """A sound card that drifts, whose blocks are seen late by a random delay."""

    def __init__(self, ppm: float, jitter_s: float, seed: int) -> None:
        self.clock = AudioClock(RATE_HZ)
        self.rate_hz = RATE_HZ * (1 + ppm / 1e6)
        self.jitter_s = jitter_s
        self.counter = 0
        self.lost = 0
        self._random = np.random.default_rng(seed)

    def run(self, seconds: float, late_s: float = 0.0) -> np.ndarray:
        """The errors of the estimated times [ms], block by block."""
        errors_ms = []
        for _ in range(round(seconds * RATE_HZ / BLOCK)):
            sensed_ns = self.sensed_ns(self.counter)
            delay_s = self._random.exponential(self.jitter_s) + late_s
            index = self.clock.index(self.counter, BLOCK, round(sensed_ns + delay_s * 1e9))
            errors_ms.append((self.clock.time_ns(index) - sensed_ns) / 1e6)
            self.counter += BLOCK
        return np.array(errors_ms)

    def sensed_ns(self, counter: int) -> float:
        return START_NS + (counter + self.lost) / self.rate_hz * 1e9


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    """None that a thread in which a perceiver ran takes for zero."""
    return st.floats(low, high, allow_subnormal=False)


@settings(max_examples=30, deadline=None)
@given(
    ppm=st.floats(-200, 200, allow_subnormal=False),
    jitter_s=st.floats(0, 0.02, allow_subnormal=False),
    seed=st.integers(0, 1000),
)
def test_drift_is_found_and_stamps_neither_jitter_nor_drift(ppm, jitter_s, seed):
    card = VirtualCard(ppm, jitter_s, seed)
    errors_ms = card.run(40)[100:]
    assert card.clock.drift_ppm == pytest.approx(ppm, abs=5 + 5000 * jitter_s)
    assert np.abs(errors_ms).max() < BLOCK_MS
    assert errors_ms[500:].std() < 0.1 + 100 * jitter_s
    assert card.clock.lost == 0


@settings(max_examples=30, deadline=None)
@given(
    ppm=st.floats(-200, 200, allow_subnormal=False),
    jitter_s=st.floats(0, 0.005, allow_subnormal=False),
    lost_ms=st.integers(60, 5000),
    seed=st.integers(0, 1000),
)
def test_samples_lost_without_a_word_become_a_gap(ppm, jitter_s, lost_ms, seed):
    card = VirtualCard(ppm, jitter_s, seed)
    card.run(15)
    card.lost = lost_ms * RATE_HZ // 1000
    errors_ms = card.run(15)
    assert card.clock.lost == pytest.approx(card.lost, abs=0.01 * RATE_HZ)
    assert np.abs(errors_ms[75:]).max() < BLOCK_MS / 2


def test_a_burst_after_a_pause_of_the_computer_is_no_loss():
    card = VirtualCard(50, 0.001, 0)
    card.run(10)
    now_ns = card.sensed_ns(card.counter) + 2e9
    for _ in range(100):
        card.clock.index(card.counter, BLOCK, round(now_ns))
        card.counter += BLOCK
    errors_ms = card.run(10)
    assert card.clock.lost == 0
    assert np.abs(errors_ms).max() < BLOCK_MS / 2


def test_a_computer_that_is_busy_for_seconds_loses_nothing():
    """Blocks wait, now shorter, now longer, and all of them come."""
    card, random = VirtualCard(50, 0.001, 0), np.random.default_rng(0)
    card.run(10)
    for late_s in random.uniform(0.1, 0.2, 40):
        card.run(0.1, late_s)
    errors_ms = card.run(10)
    assert card.clock.lost == 0
    assert np.abs(errors_ms).max() < BLOCK_MS / 2


def test_a_server_that_wakes_up_late_is_found_out():
    card = VirtualCard(0, 0.001, 0)
    card.run(1, late_s=1.6)
    assert np.abs(card.run(5)[100:]).max() < BLOCK_MS / 2
    assert card.clock.lost == 0


def test_blocks_seen_twice_or_in_the_wrong_order_change_nothing():
    card = VirtualCard(100, 0.001, 0)
    card.run(10)
    before_ns = card.clock.time_ns(card.counter)
    for counter in (card.counter - BLOCK, card.counter - BLOCK, 0):
        card.clock.index(counter, BLOCK, START_NS + 60_000_000_000)
    assert card.clock.time_ns(card.counter) == before_ns
    assert card.clock.lost == 0


def test_blocks_missing_by_the_counter_are_a_gap_at_once():
    card = VirtualCard(0, 0.0, 0)
    card.run(1)
    card.counter += 5 * BLOCK
    card.run(1)
    assert card.clock.lost == 5 * BLOCK


def test_a_card_that_starts_anew_goes_on_in_time():
    card = VirtualCard(0, 0.0, 0)
    card.run(10)
    card.clock.begin(START_NS + 70_000_000_000)
    index = card.clock.index(0, BLOCK, START_NS + 70_000_000_000)
    assert index == 70 * RATE_HZ
    assert card.clock.lost == 60 * RATE_HZ
    assert card.clock.time_ns(index) == pytest.approx(START_NS + 70e9, abs=1e6)


def test_a_delay_that_grows_by_a_buffer_is_no_drift():
    card = VirtualCard(150, 0.0005, 0)
    card.run(20)
    card.run(3, late_s=0.01)
    assert card.clock.drift_ppm == pytest.approx(150, abs=20)
    errors_ms = card.run(20, late_s=0.01)
    assert card.clock.drift_ppm == pytest.approx(150, abs=20)
    assert errors_ms[-1] == pytest.approx(10, abs=1)
    assert card.clock.lost == 0
