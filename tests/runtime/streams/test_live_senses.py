"""A perceiver on a real camera and a real microphone goes on with the sense that is left, whatever befalls the other,
and has both again when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from mjpeg_server import MjpegServer, usual_part
from sound_server import FifoFeeder, SoundServer, until

from edgefuse.runtime import DEFAULT_BUNDLE, Camera, Microphone, Perceiver, Percept

BOTH = {"image", "audio"}
MULTIPART = b"multipart/x-mixed-replace; boundary=frame"


@dataclass
class Devices:
    """A network camera, and a sound server whose microphone is fed."""

    camera: MjpegServer
    server: SoundServer
    feeder: FifoFeeder

    def restart_camera(self, kind: bytes = MULTIPART, status: bytes = b"200 OK", page: bytes = b"") -> None:
        """With another answer, or a page instead of pictures."""
        self.camera.kill()
        self.camera.kind, self.camera.status = kind, status
        self.send((lambda jpeg: page) if page else usual_part)
        self.camera.start()

    def restart_server(self) -> None:
        """After it was killed."""
        self.feeder.stop()
        self.server.start()
        self.server.listen_to("fifo")
        self.feeder = FifoFeeder(self.server.fifo)

    def control(self, *commands: str) -> None:
        """Tell the sound server, as `pactl` does."""
        for command in commands:
            assert self.server.control(*command.split()) == 0, command

    def send(self, part: Callable[[bytes], bytes]) -> None:
        """What the camera makes of each JPEG from now on."""
        self.camera.part = part


@pytest.fixture
def devices(mjpeg_server: MjpegServer, sound_server: SoundServer) -> Iterator[Devices]:
    sound_server.listen_to("fifo")
    devices = Devices(mjpeg_server, sound_server, FifoFeeder(sound_server.fifo))
    yield devices
    devices.feeder.stop()


Change = Callable[[Devices], object]
CAMERA: dict[str, tuple[Change, Change]] = {
    "unplugged": (lambda d: d.camera.kill(), lambda d: d.camera.start()),
    "stalls": (lambda d: d.camera.stalled.set(), lambda d: d.camera.stalled.clear()),
    "sends nonsense": (lambda d: d.send(lambda jpeg: usual_part(b"nonsense" * 1000)), lambda d: d.send(usual_part)),
    "sends halves": (lambda d: d.send(lambda jpeg: usual_part(jpeg[:-100])), lambda d: d.send(usual_part)),
    "answers with a page": (
        lambda d: d.restart_camera(b"text/html", page=b"<html><body>log in</body></html>"),
        lambda d: d.restart_camera(),
    ),
    "refuses": (lambda d: d.restart_camera(status=b"503 busy"), lambda d: d.restart_camera()),
}
MICROPHONE: dict[str, tuple[Change, Change]] = {
    "sends nothing": (lambda d: d.feeder.paused.set(), lambda d: d.feeder.paused.clear()),
    "suspended": (lambda d: d.control("suspend-source fifo 1"), lambda d: d.control("suspend-source fifo 0")),
    "its server is killed": (lambda d: d.server.kill(), lambda d: d.restart_server()),
    "unplugged": (
        lambda d: d.control("unload-module module-pipe-source", "unload-module module-null-sink"),
        lambda d: d.control("load-module module-null-sink sink_name=robot rate=48000 norewinds=1"),
    ),
}


@pytest.mark.parametrize(
    ("sense", "fault"), [*[("image", fault) for fault in CAMERA], *[("audio", fault) for fault in MICROPHONE]]
)
def test_the_other_sense_goes_on_and_both_are_back_when_it_is_over(sense: str, fault: str, devices: Devices):
    begin, end = (CAMERA if sense == "image" else MICROPHONE)[fault]
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    percepts: list[Percept] = []
    with Camera(devices.camera.url) as camera, Microphone() as microphone:
        struck = camera if sense == "image" else microphone
        running = threading.Thread(target=lambda: percepts.extend(perceiver.perceive(camera, microphone)), daemon=True)
        running.start()

        def valid() -> set[str]:
            return {name for name, part in percepts[-1].senses.items() if part.valid} if percepts else set()

        until(lambda: valid() == BOTH)
        begin(devices)
        until(lambda: struck.state in ("lost", "reconnecting"))
        until(lambda: valid() == BOTH - {sense})
        before = len(percepts)
        until(lambda: len(percepts) >= before + 5 and valid() == BOTH - {sense})
        end(devices)
        until(lambda: valid() == BOTH)
        assert struck.health.reconnects >= 1
        perceiver.close()
        running.join(10)
        assert not running.is_alive()
    assert (camera.state, microphone.state) == ("ended", "ended")
