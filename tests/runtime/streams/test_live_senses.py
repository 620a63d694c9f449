"""A perceiver on a real camera and a real microphone goes on with the senses that are left."""

import threading

import pytest
from sound_server import FifoFeeder, until

from edgefuse.runtime import DEFAULT_BUNDLE, Camera, Microphone, Perceiver


@pytest.fixture
def feeder(sound_server):
    sound_server.listen_to("fifo")
    feeder = FifoFeeder(sound_server.fifo)
    yield feeder
    feeder.stop()


def test_a_lost_camera_leaves_hearing_and_comes_back(mjpeg_server, feeder):
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    percepts = []
    with Camera(mjpeg_server.url) as camera, Microphone() as microphone:
        running = threading.Thread(target=lambda: percepts.extend(perceiver.perceive(camera, microphone)), daemon=True)
        running.start()

        def valid() -> set[str]:
            return {name for name, sense in percepts[-1].senses.items() if sense.valid} if percepts else set()

        until(lambda: valid() == {"image", "audio"})
        mjpeg_server.kill()
        until(lambda: valid() == {"audio"})
        assert camera.state in ("lost", "reconnecting")
        mjpeg_server.start()
        until(lambda: valid() == {"image", "audio"})
        assert camera.health.reconnects == 1
        perceiver.close()
        running.join(10)
        assert not running.is_alive()
    assert (camera.state, microphone.state) == ("ended", "ended")
