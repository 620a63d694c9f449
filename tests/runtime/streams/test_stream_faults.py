"""Whatever a library raises in a stream is that stream's fault: one line, counted, and tried again where that helps."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from small_networks import FUSION_OF_TWO, image, write_bundle
from sound_server import FifoFeeder, until

from edgefuse.runtime import (
    DEFAULT_CLIP,
    Bundle,
    Camera,
    Clip,
    Frame,
    Microphone,
    Perceiver,
    Recording,
    Stream,
    StreamError,
)
from edgefuse.runtime.sinks.recorder import Recorder
from edgefuse.runtime.streams import samples_of
from edgefuse.runtime.streams.resampler import Resampler

RAISED = [
    cv2.error("OpenCV(5.0.0)\n error: (-4:Insufficient memory)"),
    MemoryError(),
    ValueError("too\nlong"),
    OSError(5, "I/O"),
    EOFError("of a library"),
]


class Failing:
    """A function that raises once it was called so often, and works again afterwards."""

    def __init__(self, function, error: Exception, after: int = 3) -> None:
        self.function, self.error, self.left = function, error, after

    def __call__(self, *arguments, **named):
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.function(*arguments, **named)


class Own(Stream):
    """A stream that somebody wrote."""

    def __init__(self, error: Exception, live: bool) -> None:
        self.live, self._error = live, error

    def __iter__(self):
        yield Frame(1, np.zeros((8, 8, 3), np.uint8))
        raise self._error

    def close(self) -> None:
        pass


@pytest.fixture(params=RAISED, ids=lambda error: type(error).__name__)
def raised(request) -> Exception:
    return request.param


@pytest.fixture
def perceiver(tmp_path) -> Perceiver:
    cameras = [image("image"), image("rear_camera")]
    return Perceiver(
        Bundle.open(write_bundle(tmp_path / "bundle", cameras, FUSION_OF_TWO.format("image", "rear_camera")))
    )


def check_line(error: Exception, raised: Exception, name: str) -> None:
    line = str(error)
    assert line.startswith(f"{name} failed: {type(raised).__name__}")
    assert "\n" not in line


def test_a_camera_comes_back(mjpeg_server, monkeypatch, raised):
    with Camera(mjpeg_server.url) as camera:
        until(lambda: camera.health.samples > 3)
        monkeypatch.setattr(cv2, "cvtColor", Failing(cv2.cvtColor, raised))
        until(lambda: camera.health.reconnects == 1)
        check_line(StreamError(camera.health.error), raised, camera.name)
        samples = camera.health.samples
        until(lambda: camera.health.samples > samples and camera.state == "live")


def test_a_microphone_comes_back(sound_server, monkeypatch):
    sound_server.listen_to("fifo")
    feeder = FifoFeeder(sound_server.fifo)
    with Microphone() as microphone:
        until(lambda: microphone.health.samples > 3)
        failing = Failing(Resampler.resample, MemoryError(), 1)
        monkeypatch.setattr(Resampler, "resample", lambda *arguments: failing(*arguments))
        until(lambda: microphone.health.reconnects == 1)
        check_line(StreamError(microphone.health.error), MemoryError(), microphone.name)
    feeder.stop()


@pytest.mark.parametrize("live", [True, False])
def test_a_clip_ends_in_one_line(perceiver, monkeypatch, raised, live):
    monkeypatch.setattr(cv2, "cvtColor", Failing(cv2.cvtColor, raised))
    with pytest.raises(StreamError) as error:
        list(perceiver.perceive(Clip(DEFAULT_CLIP, None, live=live)))
    check_line(error.value, raised, str(DEFAULT_CLIP))


@pytest.mark.parametrize("live", [True, False])
def test_a_recording_ends_in_one_line(perceiver, tmp_path, monkeypatch, raised, live):
    path = tmp_path / "run.mcap"
    recorder = Recorder(path, image_format="png")
    for _ in recorder.tap(OwnFrames()):
        pass
    recorder.close()
    recording = Recording(path, live=live)
    monkeypatch.setattr("edgefuse.runtime.streams.recording.replace", Failing(None, raised, 1))
    with pytest.raises(StreamError) as error:
        list(perceiver.perceive(recording))
    check_line(error.value, raised, str(path))


class OwnFrames(Own):
    def __init__(self) -> None:
        super().__init__(MemoryError(), live=False)

    def __iter__(self):
        for stamp_ns in range(5):
            yield Frame(stamp_ns * 10**7, np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("live", [True, False])
def test_a_stream_of_ones_own_ends_in_one_line(perceiver, raised, live):
    with pytest.raises(StreamError) as error:
        list(perceiver.perceive(Own(raised, live)))
    check_line(error.value, raised, "Own")


def test_our_own_errors_stay_what_they_are(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    with pytest.raises(StreamError, match=r"^gone$"):
        list(samples_of(Own(StreamError("gone"), live=False)))
    with pytest.raises(StreamError, match="no such video file"):
        list(samples_of(Clip(Path("/nowhere.mp4"), None)))
