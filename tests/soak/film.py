"""A network camera that plays the default clip over and over at 60 Hz, to any number of viewers; prints its URL.

A process of its own, since what it takes of memory and descriptors is not the perceivers'.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
from live_tabletop import HEADER, part

from edgefuse.runtime import DEFAULT_CLIP, Clip

RATE_HZ = 60


class Film(BaseHTTPRequestHandler):
    """Sends each picture when it is due."""

    parts: tuple[bytes, ...]

    def do_GET(self) -> None:
        """Until the viewer goes."""
        begun_s = time.monotonic()
        with suppress(OSError):
            self.wfile.write(HEADER)
            for number in count():
                time.sleep(max(0.0, begun_s + number / RATE_HZ - time.monotonic()))
                self.wfile.write(self.parts[number % len(self.parts)])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing of it is said."""


if __name__ == "__main__":
    frames = Clip(DEFAULT_CLIP, None, live=False)
    Film.parts = tuple(part(cv2.imencode(".jpg", frame.image[..., ::-1])[1].tobytes()) for frame in frames)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Film)
    print(f"http://127.0.0.1:{server.server_port}/video.mjpg", flush=True)
    server.serve_forever()
