"""Real devices for the tests: a sound server that is a microphone, and an HTTP server that is a camera."""

from __future__ import annotations

import ctypes.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mjpeg_server import MjpegServer
from sound_server import SoundServer, missing_programs


@pytest.fixture
def mjpeg_server() -> Iterator[MjpegServer]:
    """A network camera, running."""
    server = MjpegServer()
    yield server
    server.kill()


@pytest.fixture
def sound_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """A sound server of its own, running, which this process takes for the system's."""
    missing = missing_programs() + ([] if ctypes.util.find_library("portaudio") else ["libportaudio2"])
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (`make test` installs them where it is root)")
    server = SoundServer(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setitem(os.environ, name, value)
    server.start()
    yield server
    server.kill()
