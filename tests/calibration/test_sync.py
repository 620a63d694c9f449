"""Offset and drift between microphone and camera, from clips where both are known: right, or refused, never wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from flashes import Clocks, chunks, clip, frames

from edgefuse.calibration import witness
from edgefuse.calibration.sync import SyncCalibration, measure_sync
from edgefuse.calibration.witness import Witness, watch
from edgefuse.runtime import Sample, Stream
from edgefuse.runtime.errors import CalibrationError, StreamError

BEGIN_S = 1.0  # of the stamps; the first sample is a frame period later at most


def measured(samples: Iterable[Sample], **options) -> SyncCalibration:
    witness = Witness()
    for sample in samples:
        witness.take(sample)
    return measure_sync(witness.seen(), witness.heard(), **options)


def error_ms(found: SyncCalibration, clocks: Clocks) -> float:
    """At the moment that the file speaks of."""
    return found.sync.offset_ms - clocks.late_ms(found.sync.at_s)


@pytest.mark.parametrize(
    ("offset_ms", "drift_ppm", "snr_db", "exposure_s"),
    [(-300, 0, 12, 0.01), (-120, 200, 6, 0.02), (0, 50, 0, 0.01), (80, 100, 6, 0.033), (300, 200, 3, 0.005)],
)
def test_an_offset_is_found_to_5_ms_from_flashes_and_beeps_in_noise(offset_ms, drift_ppm, snr_db, exposure_s):
    clocks = Clocks(offset_ms, drift_ppm)
    found = measured(clip(clocks, seed=offset_ms + 400, seconds=25, snr_db=snr_db, exposure_s=exposure_s))
    assert abs(error_ms(found, clocks)) < 5
    assert found.sync.method == "events"
    assert found.sync.events >= 12
    assert abs(error_ms(found, clocks)) < 4 * found.sync.offset_sd_ms + 1, "the uncertainty is not what it says"
    assert abs(found.sync.drift_ppm - drift_ppm) < 4 * found.sync.drift_sd_ppm


def test_a_drift_is_found_where_there_is_time_for_it():
    clocks = Clocks(40, 200)
    found = measured(clip(clocks, seed=3, seconds=100))
    assert found.sync.drifts
    assert abs(found.sync.drift_ppm - 200) < 60
    assert abs(found.sync.late_ns(100_000_000_000) / 1e6 - clocks.late_ms(100)) < 5


@pytest.mark.parametrize("offset_ms", [-200, 90])
def test_without_events_what_begins_to_be_seen_and_heard_is_correlated(offset_ms):
    clocks = Clocks(offset_ms)
    found = measured(clip(clocks, seed=7, seconds=40), method="correlation")
    assert found.sync.method == "correlation"
    assert abs(error_ms(found, clocks)) < 5


def test_the_way_of_the_sound_is_not_counted():
    samples = clip(Clocks(100), seed=5, seconds=25)
    near, far = (measured(samples, distance_m=distance).sync.offset_ms for distance in (0.0, 3.43))
    assert near - far == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_without_events_it_is_refused_and_no_number_is_given(seed):
    with pytest.raises(CalibrationError, match="flash and beep, or clap"):
        measured(clip(Clocks(50), seed, seconds=25, events=False))


@pytest.mark.parametrize("seed", range(4))
def test_flashes_and_beeps_that_have_nothing_to_do_with_each_other_are_refused(seed):
    rng = np.random.default_rng(seed)
    flashed, beeped = (np.sort(rng.uniform(1, 39, 40)) for _ in range(2))
    both = [*frames(flashed, 40, rng), *chunks(beeped, 40, Clocks(0), 12, rng)]
    with pytest.raises(CalibrationError, match=r"agree on one offset|about as well"):
        measured(sorted(both, key=lambda sample: sample.until_ns))


def test_a_regular_rhythm_is_refused_since_it_fits_at_every_beat():
    rng = np.random.default_rng(1)
    beats = np.arange(1, 24, 0.4)
    both = [*frames(beats, 25, rng), *chunks(beats, 25, Clocks(0), 12, rng)]
    with pytest.raises(CalibrationError, match="about as well"):
        measured(sorted(both, key=lambda sample: sample.until_ns), method="events")


def test_one_sense_alone_is_refused():
    samples = clip(Clocks(0), seed=1, seconds=10)
    with pytest.raises(CalibrationError, match="needs a camera and a microphone"):
        measured(sample for sample in samples if sample.modality == "image")
    with pytest.raises(CalibrationError, match="0 frames were seen"):
        measured(sample for sample in samples if sample.modality == "audio")


class Played(Stream):
    """A stream of samples that breaks off, if told to."""

    live = False

    def __init__(self, samples: list[Sample], broken: bool = False) -> None:
        self.closed = False
        self._samples = samples
        self._broken = broken

    def __iter__(self):
        yield from self._samples
        if self._broken:
            raise StreamError("the cable was pulled")

    def close(self) -> None:
        self.closed = True


def test_streams_are_watched_side_by_side_for_as_long_as_wanted():
    samples = clip(Clocks(60), seed=2, seconds=40)
    seen, heard = ([s for s in samples if s.modality == modality] for modality in ("image", "audio"))
    streams, told = [Played(seen), Played(heard)], []
    witness = watch(streams, 20.0, told.append)
    assert all(stream.closed for stream in streams)
    assert 20 <= witness.seconds <= 41
    assert told
    assert told[-1] <= 20


class Silent(Stream):
    """A live stream that gives what it has and then nothing more, until it is closed."""

    live = True

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples
        self._closed = threading.Event()

    def __iter__(self):
        yield from self._samples
        self._closed.wait()

    def close(self) -> None:
        self._closed.set()


def test_a_device_that_falls_silent_does_not_hold_it_up(monkeypatch):
    monkeypatch.setattr(witness, "_TO_START_S", 0.2)
    samples = clip(Clocks(0), seed=4, seconds=10)
    seen = [sample for sample in samples if sample.modality == "image"][:90]
    heard = [sample for sample in samples if sample.modality == "audio"]
    watched = watch([Silent(seen), Silent(heard)], 5.0, lambda seconds: None)
    assert watched.seconds < 5
    assert len(watched.seen().times_s) == 90


def test_a_stream_that_breaks_off_is_told():
    samples = clip(Clocks(60), seed=2, seconds=5)
    with pytest.raises(StreamError, match="cable"):
        watch([Played(samples, broken=True)], 60.0, lambda seconds: None)


@pytest.mark.parametrize("method", ["events", "correlation"])
def test_the_picture_of_the_matching_is_drawn(method, tmp_path):
    from edgefuse.calibration.sync_picture import draw_sync

    draw_sync(tmp_path / "sync.png", measured(clip(Clocks(60), seed=7, seconds=40), method=method))
    assert cv2.imread(str(tmp_path / "sync.png")).shape[0] > 500


def test_the_date_is_the_callers_or_now():
    samples = clip(Clocks(60), seed=2, seconds=25)
    assert json.loads(measured(samples, at="2031-05-06").sync.model_dump_json())["measured"]["at"] == "2031-05-06"
    assert measured(samples).sync.measured.at[:2] == "20"
