"""A network camera for the tests: Motion JPEG over HTTP, with the faults that real ones have."""

from __future__ import annotations

import socket
import threading
import time

import cv2
import numpy as np

_MULTIPART = b"multipart/x-mixed-replace; boundary=frame"


def usual_part(jpeg: bytes) -> bytes:
    """A part as it should be."""
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)


class MjpegServer:
    """Serves frames whose blue channel says when each was made (see `made_ns`), 30 a second, to any number of viewers.

    `size` may be changed while it runs; `stalled` stops it from sending; `halves` counts frames to cut in the middle.
    `part` is what it makes of a JPEG, `kind` its content type, `status` what it answers; `asked` is what it was asked.
    """

    def __init__(self) -> None:
        self.size = (320, 240)
        self.halves = 0
        self.part = usual_part
        self.kind = _MULTIPART
        self.status = b"200 OK"
        self.asked: list[bytes] = []
        self.stalled = threading.Event()
        self.made_ns: dict[int, int] = {}
        self._count = 0
        self._port = 0
        self._listener: socket.socket | None = None
        self._viewers: list[socket.socket] = []
        self.start()

    @property
    def url(self) -> str:
        """Where a camera finds it, also after a restart."""
        return f"http://127.0.0.1:{self._port}/video.mjpg"

    def start(self) -> None:
        """Listen, at the same port as before."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def kill(self) -> None:
        """Vanish: break every connection and refuse new ones."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._listener = None
        for viewer in self._viewers:
            viewer.close()
        self._viewers.clear()

    def number(self, image: np.ndarray) -> int:
        """The number that was painted into a frame (0..63), the index into `made_ns`."""
        return round(float(image[..., 2].mean()) / 4)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                viewer, _ = listener.accept()
            except OSError:
                return
            self._viewers.append(viewer)
            threading.Thread(target=self._send, args=(viewer,), daemon=True).start()

    def _send(self, viewer: socket.socket) -> None:
        try:
            self.asked.append(viewer.recv(4096))
            viewer.sendall(b"HTTP/1.0 %s\r\nContent-Type: %s\r\n\r\n" % (self.status, self.kind))
            if self.status != b"200 OK":
                viewer.close()
            while True:
                if not self.stalled.is_set():
                    viewer.sendall(self._part())
                time.sleep(1 / 30)
        except OSError:
            viewer.close()

    def _part(self) -> bytes:
        self._count = (self._count + 1) % 64
        width, height = self.size
        image = np.full((height, width, 3), (4 * self._count, 90, 200), np.uint8)
        self.made_ns[self._count] = time.monotonic_ns()
        jpeg = cv2.imencode(".jpg", image)[1].tobytes()
        if self.halves:
            self.halves -= 1
            jpeg = jpeg[: len(jpeg) // 2]
        return self.part(jpeg)
