"""Devices are listed and measured."""

import pytest
from sound_server import FifoFeeder

from edgefuse.runtime.streams.camera import Camera
from edgefuse.runtime.streams.devices import find_devices, measure_camera, measure_microphone
from edgefuse.runtime.streams.microphone import Microphone


def test_a_good_camera_is_measured(mjpeg_server):
    measured = measure_camera(Camera(mjpeg_server.url), seconds=1.5)
    assert 10 < measured.rate_hz < 60
    assert measured.format.width == 320
    assert measured.health.state == "ended"


def test_damaged_frames_are_named(mjpeg_server):
    mjpeg_server.halves = 15
    measured = measure_camera(Camera(mjpeg_server.url), seconds=1)
    assert measured.broken > 0
    assert "came damaged" in measured.wrong


def test_a_microphone_is_listed_and_measured(sound_server):
    sound_server.listen_to("fifo")
    feeder = FifoFeeder(sound_server.fifo)
    assert "default" in [microphone.name for microphone in find_devices().microphones]
    measured = measure_microphone(Microphone(), seconds=2)
    feeder.stop()
    assert measured.rate_hz == pytest.approx(48_000, rel=0.01)
    assert -20 < measured.peak_dbfs <= 0


def test_a_muted_microphone_is_named(sound_server):
    sound_server.listen_to("robot.monitor")
    measured = measure_microphone(Microphone(), seconds=1)
    assert measured.wrong == "it is silent: it is muted, unplugged, or the wrong device"
