"""Made-up sensors hand over whole samples, not before they are due, and can be closed at any time."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgefuse.bench.load.sensors import PacedStream
from edgefuse.bench.load.workload import Workload, workload_from
from edgefuse.bench.runs.paced import run_sensors
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, AudioChunk, Bundle


@pytest.fixture(scope="module")
def workload() -> Workload:
    return workload_from(Bundle.open(DEFAULT_BUNDLE).manifest, DEFAULT_CLIP)


def stream_of(sense: str, workload: Workload, seconds: float) -> PacedStream:
    streams = workload.streams(rate_hz=100.0, seconds=seconds, counted_after_s=0.1)
    return next(stream for stream in streams if stream.sense.name == sense)


def test_no_sample_is_handed_over_before_it_was_sensed(workload: Workload):
    stream = stream_of("image", workload, 0.3)
    for sample in stream:
        handed_ns = stream.handed_ns(sample.until_ns)
        assert handed_ns is not None
        assert sample.until_ns <= handed_ns <= time.monotonic_ns()
    assert stream.offered == 21
    assert len(stream.late_ms) == 21
    assert (stream.late_ms >= 0).all()


def test_sound_has_no_gap_and_is_whole_when_it_is_due(workload: Workload):
    chunks = [sample for sample in stream_of("audio", workload, 0.3) if isinstance(sample, AudioChunk)]
    assert np.diff([chunk.index for chunk in chunks]).tolist() == [320] * (len(chunks) - 1)
    assert np.diff([chunk.until_ns for chunk in chunks]) == pytest.approx(20e6, abs=2)


@pytest.mark.parametrize("twice", [False, True])
def test_a_sensor_that_waits_is_closed_at_once(workload: Workload, twice: bool):
    stream = stream_of("text", workload, 60.0)
    thread = threading.Thread(target=list, args=(stream,))
    thread.start()
    for _ in range(1 + twice):
        stream.close()
    thread.join(1.0)
    assert not thread.is_alive()


def test_sensors_alone_cost_something_and_less_than_a_core(workload: Workload):
    alone = run_sensors(workload, rate_hz=100.0, seconds=0.3)
    assert alone.seconds == pytest.approx(0.3, abs=0.1)
    assert 0 < alone.cpu_s < alone.seconds
