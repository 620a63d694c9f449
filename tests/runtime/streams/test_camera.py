"""The camera, on a real network camera with real faults, and on a video file."""

import threading
import time

import cv2
import numpy as np
import pytest
from sound_server import until

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.samples import Frame
from edgefuse.runtime.streams.camera import Camera
from edgefuse.runtime.streams.capture import CameraFormat, camera_source, refused


class Viewer:
    """Takes every frame of a camera as it comes, in a thread."""

    def __init__(self, camera: Camera) -> None:
        self.frames: list[Frame] = []
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._take, args=(camera,), daemon=True)
        self.thread.start()

    def _take(self, camera: Camera) -> None:
        try:
            for frame in camera:
                self.frames.append(frame)
        except StreamError as error:
            self.error = error

    def wait_for_more(self, count: int = 1) -> float:
        """How long the next frames take [s]."""
        before = len(self.frames)
        return until(lambda: len(self.frames) >= before + count)


@pytest.fixture
def camera(mjpeg_server):
    with Camera(mjpeg_server.url) as camera:
        yield camera


@pytest.fixture
def viewer(camera):
    viewer = Viewer(camera)
    viewer.wait_for_more()
    return viewer


def test_frames_are_stamped_when_they_were_made(camera, viewer, mjpeg_server):
    viewer.wait_for_more(30)
    errors_ms = [(f.stamp_ns - mjpeg_server.made_ns[mjpeg_server.number(f.image)]) / 1e6 for f in viewer.frames]
    assert np.median(errors_ms) < 20
    assert {frame.encoding for frame in viewer.frames} == {"rgb8"}
    assert camera.state == "live"
    assert (camera.format.width, camera.format.height, camera.format.pixel_format) == (320, 240, "MJPG")


def test_whoever_is_slow_gets_the_newest_frame(camera, mjpeg_server):
    frames = iter(camera)
    next(frames)
    until(lambda: camera.health.overtaken >= 10)
    asked_ns = time.monotonic_ns()
    assert asked_ns - next(frames).stamp_ns < 0.5e9
    assert camera.health.samples >= 11


def test_a_server_that_stalls_is_left_and_found_again(camera, viewer, mjpeg_server):
    mjpeg_server.stalled.set()
    until(lambda: camera.state == "stalled")
    until(lambda: camera.state in ("lost", "reconnecting"))
    mjpeg_server.stalled.clear()
    assert viewer.wait_for_more() < 3
    assert camera.state == "live"
    assert camera.health.reconnects == 1


def test_a_server_that_is_killed_and_comes_back(camera, viewer, mjpeg_server):
    mjpeg_server.kill()
    until(lambda: camera.state in ("lost", "reconnecting"))
    until(lambda: "cannot be opened" in (camera.health.error or ""))
    mjpeg_server.start()
    assert viewer.wait_for_more() < 3
    assert camera.health.reconnects == 1
    assert viewer.error is None


def test_a_change_of_resolution_is_followed(camera, viewer, mjpeg_server):
    mjpeg_server.size = (640, 480)
    until(lambda: viewer.frames[-1].image.shape == (480, 640, 3))
    assert (camera.format.width, camera.format.height) == (640, 480)


def test_half_a_jpeg_is_dropped_and_counted(camera, viewer, mjpeg_server):
    mjpeg_server.halves = 3
    until(lambda: camera.broken == 3)
    viewer.wait_for_more(5)
    assert camera.health.reconnects == 0
    assert all(np.ptp(frame.image[..., 0].astype(int)) < 20 for frame in viewer.frames)


def test_closing_ends_the_iteration(camera, viewer):
    camera.close()
    viewer.thread.join(5)
    assert not viewer.thread.is_alive()
    assert camera.state == "ended"
    camera.close()


@pytest.mark.parametrize(
    ("device", "complaint"),
    [
        ("http://127.0.0.1:9/video", "camera http://127.0.0.1:9/video cannot be opened"),
        ("/dev/video63", "camera /dev/video63 cannot be opened .* there is: "),
        ("videotestsrc ! appsink", "built without GStreamer"),
        ("/nowhere/clip.mp4", "/nowhere/clip.mp4: no such video file"),
    ],
)
def test_what_cannot_be_opened_at_first_is_one_clear_line(device, complaint):
    with pytest.raises(StreamError, match=complaint) as error:
        Camera(device).__enter__()
    assert "\n" not in str(error.value)


def test_a_password_is_not_shown():
    assert camera_source("rtsp://me:secret@cam/1").name == "camera rtsp://cam/1"
    pipeline = "rtspsrc location=rtsp://me:secret@cam/1 ! decodebin ! appsink"
    assert "secret" not in camera_source(pipeline).name


def test_a_pipeline_that_names_a_url_is_a_pipeline():
    source = camera_source("rtspsrc location=rtsp://cam/1 ! decodebin ! videoconvert ! appsink")
    assert source.kind == "gstreamer"


def test_a_file_plays_in_real_time_and_ends(tmp_path):
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20, (64, 48))
    for level in range(10):
        writer.write(np.full((48, 64, 3), 20 * level, np.uint8))
    writer.release()
    with Camera(path) as camera:
        viewer = Viewer(camera)
        viewer.thread.join(10)
    assert camera.state == "ended"
    assert viewer.error is None
    assert camera.health.samples == 10
    stamps_ns = [frame.stamp_ns for frame in viewer.frames]
    assert stamps_ns[-1] - stamps_ns[0] > 0.3e9


def test_settings_that_were_not_taken_are_said():
    given = CameraFormat(width=640, height=480, rate_hz=29.97, pixel_format="YUYV")
    wanted = CameraFormat(width=1280, height=480, rate_hz=30.0, pixel_format="MJPG")
    assert refused(wanted, given) == ["width 1280 asked, 640 given", "pixel_format MJPG asked, YUYV given"]


def fed(camera: Camera, frames: int = 3) -> set[str]:
    """The threads in which that many frames are handed over; the camera is closed then."""
    threads: list[str] = []

    def take(frame: Frame) -> None:
        threads.append(threading.current_thread().name)
        if len(threads) == frames:
            camera.close()

    camera.feed(take)
    assert len(threads) == frames, "closed, it hands over no more"
    return set(threads)


def test_whoever_is_fed_by_a_camera_gets_its_frames_in_the_thread_that_reads_it(mjpeg_server):
    here = threading.current_thread().name
    camera = Camera(mjpeg_server.url)
    assert fed(camera) == {here}
    assert (camera.state, camera.health.overtaken) == ("ended", 0)
    with Camera(mjpeg_server.url) as opened:
        (reader,) = fed(opened)
    assert reader != here


def test_a_camera_that_cannot_be_opened_is_said_where_it_is_fed():
    with pytest.raises(StreamError, match="no such video file"):
        Camera("/nowhere.mp4").feed(lambda frame: None)
