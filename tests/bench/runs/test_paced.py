"""A run at a stated rate: what is counted, and where the sensor's own lateness goes."""

from __future__ import annotations

import pytest
from made_runs import MS, FrameRunner, moment

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.workload import Workload, workload_from
from edgefuse.bench.runs.paced import SENSOR_LATE, add_sensor_stage, run_paced
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Bundle


@pytest.fixture(scope="module")
def workload() -> Workload:
    return workload_from(Bundle.open(DEFAULT_BUNDLE).manifest, DEFAULT_CLIP)


def test_what_came_in_the_warm_up_does_not_count(workload: Workload):
    runner = FrameRunner()
    run = run_paced(runner, workload, rate_hz=50, seconds=0.4, warm_up_s=0.3)
    assert run.offered["image"] == 21
    assert len(run.moments) == 21
    assert len(runner.calls) == 36
    assert len(run.calls) <= 22, "the calls of the warm-up are left out as well"
    assert run.seconds > 0.35


def test_what_was_overtaken_in_the_warm_up_does_not_count(workload: Workload):
    """A frame takes as long as three: two of three are overtaken, in the warm-up as well."""
    run = run_paced(FrameRunner(takes_s=0.059), workload, rate_hz=50, seconds=0.6, warm_up_s=0.3)
    assert run.overtaken_share == pytest.approx(2 / 3, abs=0.1)
    assert len(run.moments) + run.overtaken["image"] == pytest.approx(run.offered["image"], abs=3)


def test_sound_is_counted_in_hops_as_the_perceiver_counts_what_it_dropped(workload: Workload):
    class EarRunner(FrameRunner):
        def perceive(self, *streams):
            others = [stream for stream in streams if stream.sense.name == "audio"]
            for other in others:
                list(other)
            yield moment(streams[0].pace.counted_ns / MS, image=streams[0].pace.counted_ns / MS)

    run = run_paced(EarRunner(), workload, rate_hz=50, seconds=0.6, warm_up_s=0.1)
    (audio,) = [sense for sense in workload.senses if sense.name == "audio"]
    assert audio.kind == "audio"
    assert run.offered["audio"] == pytest.approx(0.6 * audio.rate_hz / audio.hop_samples, abs=1)


def test_without_a_percept_it_is_one_line(workload: Workload):
    with pytest.raises(BenchError, match=r"no percept came within 0\.1 s at 20 Hz: this machine is too slow for it"):
        run_paced(FrameRunner(takes_s=3600), workload, rate_hz=20, seconds=0.1, warm_up_s=0.1)


def test_how_late_the_sensor_was_is_a_stage_and_the_parts_still_add_up(workload: Workload):
    streams = workload.streams(rate_hz=100, seconds=0.05, counted_after_s=0)
    (image,) = [stream for stream in streams if stream.sense.name == "image"]
    sample = next(iter(image))
    handed_ns = image.handed_ns(sample.stamp_ns)
    assert handed_ns is not None
    sensed_ms = sample.stamp_ns / MS
    before = moment(sensed_ms, 6.0, image=sensed_ms)
    after = add_sensor_stage(before, streams)
    assert next(iter(after.stages_ms)) == SENSOR_LATE
    assert after.stages_ms[SENSOR_LATE] == pytest.approx((handed_ns - sample.stamp_ns) / MS, abs=1e-3)
    assert sum(after.stages_ms.values()) == pytest.approx(6.0)
    assert after.stages_ms["fuse"] == before.stages_ms["fuse"]
    assert after.latency_ms == before.latency_ms


def test_a_percept_that_no_made_up_sensor_called_for_was_not_late(workload: Workload):
    streams = workload.streams(rate_hz=100, seconds=0.05, counted_after_s=0)
    after = add_sensor_stage(moment(100.0, 3.0, image=50.0), streams)
    assert after.stages_ms == {SENSOR_LATE: 0.0, "receive": 1.0, "fuse": 2.0}
