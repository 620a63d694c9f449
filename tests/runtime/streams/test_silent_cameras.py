"""Network cameras that take the connection and then give no frames: closing one waits for nothing."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sound_server import until

from edgefuse.runtime import Camera, StreamError

HEADERS = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
BEGUN = HEADERS + b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0"


def nothing(viewer: socket.socket) -> None:
    """It only listens."""
    while viewer.recv(4096):
        pass


def trickled(data: bytes, more: bytes) -> Callable[[socket.socket], None]:
    """A byte now and then: no wait for one ever takes long."""

    def send(viewer: socket.socket) -> None:
        viewer.sendall(data)
        while True:
            viewer.sendall(more)
            time.sleep(0.2)

    return send


KINDS = {
    "says nothing": nothing,
    "trickles its headers": trickled(b"HTTP/1.0 200 OK\r\nX-A: ", b"a"),
    "says nothing after its headers": lambda viewer: (viewer.sendall(HEADERS), nothing(viewer)),
    "trickles a picture": trickled(BEGUN, b"a"),
}


class SilentServer:
    """Serves `send` to each viewer; counts them."""

    def __init__(self, send: Callable[[socket.socket], object]) -> None:
        self.viewers = 0
        self._send = send
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                viewer, _ = self._listener.accept()
                self.viewers += 1
                threading.Thread(target=self._serve, args=(viewer,), daemon=True).start()

    def _serve(self, viewer: socket.socket) -> None:
        with suppress(OSError), viewer:
            self._send(viewer)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[SilentServer]:
    server = SilentServer(KINDS[request.param])
    yield server
    server.close()


def test_it_is_closed_at_once(server):
    """Within less than what a driver is waited for, and no thread is left."""
    camera = Camera(f"http://127.0.0.1:{server.port}/video")
    reader = threading.Thread(target=lambda: suppress_all(lambda: camera.feed(print)), daemon=True)
    reader.start()
    until(lambda: server.viewers > 0)
    time.sleep(0.5)  # into its waiting
    begun = time.monotonic()
    camera.close()
    reader.join(10)
    took_s = time.monotonic() - begun
    assert not reader.is_alive()
    assert took_s < 1.5, "it waits for the socket's timeout"


def suppress_all(call: Callable[[], object]) -> None:
    with suppress(StreamError):
        call()


@pytest.mark.parametrize("kind", ["says nothing", "trickles its headers"])
def test_opening_one_that_does_not_answer_is_given_up(kind):
    server = SilentServer(KINDS[kind])
    with pytest.raises(StreamError, match=r"did not answer within 2 s"):
        Camera(f"http://127.0.0.1:{server.port}/video").__enter__()
    server.close()


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}/video", "rtsp://127.0.0.1:{}/video"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_on_it(server, address: str, number: signal.Signals, tmp_path: Path):
    command = [sys.executable, "-m", "edgefuse", "run", "--camera", address.format(server.port), "--jsonl", "run.jsonl"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: server.viewers > 0, 60)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (128 + number, 2), stderr  # 2: it was given up just then
    assert "Traceback" not in stderr
    assert "terminate" not in stderr
    assert not (tmp_path / "run.jsonl").exists()
