"""A camera by RTSP comes back when its server does, at whatever size."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sound_server import until

from edgefuse.runtime import Camera, Frame

SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"


class RtspServer:
    """GStreamer's, as a process."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self._port}/camera"
        self.process: subprocess.Popen[str] | None = None

    def start(self, width: int = 320, height: int = 240) -> bool:
        """Whether it could be, with what is installed."""
        command = [PYTHON, str(SERVER), str(self._port), str(width), str(height)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def rtsp_server() -> Iterator[RtspServer]:
    if not Path(PYTHON).exists():
        pytest.skip(f"no {PYTHON}")
    server = RtspServer()
    if not server.start():
        pytest.skip("no RTSP server here: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good")
    yield server
    server.kill()


def test_a_server_that_is_killed_or_stands_still_is_found_again(rtsp_server: RtspServer):
    frames: list[Frame] = []
    with Camera(rtsp_server.url) as camera:
        threading.Thread(target=lambda: frames.extend(camera), daemon=True).start()
        until(lambda: bool(frames))
        rtsp_server.kill()
        until(lambda: camera.state in ("lost", "reconnecting"))
        assert rtsp_server.start(640, 480)
        until(lambda: camera.health.reconnects == 1)
        until(lambda: frames[-1].image.shape == (480, 640, 3))
        rtsp_server.process.send_signal(signal.SIGSTOP)
        until(lambda: camera.state in ("lost", "reconnecting"))
        rtsp_server.process.send_signal(signal.SIGCONT)
        until(lambda: camera.health.reconnects == 2)
