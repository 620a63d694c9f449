"""`edgefuse bench --source live` on a network camera and on a sound server's microphone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from made_runs import FrameRunner
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "runtime" / "streams"))

from mjpeg_server import MjpegServer
from sound_server import FifoFeeder, SoundServer, missing_programs

from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import QUICK
from edgefuse.bench.load.variants import open_variants
from edgefuse.bench.report.page import page_from_result
from edgefuse.bench.report.result import LiveResult, read_result
from edgefuse.bench.runs import live
from edgefuse.cli import app
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP
from edgefuse.runtime.errors import EdgefuseError


@pytest.fixture
def camera() -> Iterator[str]:
    """The address of a network camera, running."""
    server = MjpegServer()
    yield server.url
    server.kill()


@pytest.fixture
def microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A sound server of its own, which this process takes for the system's."""
    if missing_programs():
        pytest.skip(f"not installed: {', '.join(missing_programs())} (`make test` installs them where it is root)")
    server = SoundServer(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.start()
    server.listen_to("fifo")
    feeder = FifoFeeder(server.fifo)
    yield "default"
    feeder.stop()
    server.kill()


def test_a_camera_and_a_microphone_are_measured(camera: str, microphone: str):
    variants = open_variants([DEFAULT_BUNDLE], ["auto"], DEFAULT_CLIP)
    extent = replace(QUICK, rounds=2, round_s=0.6)
    devices = live.devices_from(camera, microphone)
    (measured,) = live.measure_live(variants, devices, extent, lambda stage, done, total: None)
    assert isinstance(measured, LiveResult)
    assert measured.devices == (f"camera {camera}", "microphone default")
    assert set(measured.flow.ages_ms) == {"image", "audio"}
    assert measured.flow.percepts_hz > 15
    assert measured.dropped["audio"] == {}, "a second round hears as well as the first"
    assert len(measured.flow.latency_ms.rounds) == 2


def test_the_command_measures_what_it_is_given_and_draws_it(camera: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("edgefuse.bench.extent.QUICK", replace(QUICK, rounds=1, round_s=0.5))
    files = ["--json", str(tmp_path / "live.json"), "--html", str(tmp_path / "live.html")]
    result = CliRunner().invoke(app, ["bench", "--quick", "--source", "live", "--camera", camera, *files])
    assert result.exit_code == 0, result.output
    assert f"camera {camera}" in result.output.replace("\n", " ")
    measured = read_result(tmp_path / "live.json")
    assert measured.configuration.rate_hz is None
    assert (measured.engines, measured.pipelines) == ((), ())
    assert page_from_result(measured) == (tmp_path / "live.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no camera and no microphone here"),
        (["--camera", "/dev/video99"], "/dev/video99"),
        (["--rate", "30"], "a rate of its own"),
        (["--ros"], "without --vs, --ros and --tune"),
    ],
)
def test_what_does_not_work_is_said(arguments, said, monkeypatch):
    if not arguments and any(Path("/dev").glob("video*")):
        pytest.skip("this machine has a camera")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    result = CliRunner().invoke(app, ["bench", "--quick", "--source", "live", *arguments])
    assert isinstance(result.exception, EdgefuseError)
    assert said in str(result.exception)


def test_devices_are_of_a_live_source():
    result = CliRunner().invoke(app, ["bench", "--quick", "--camera", "0"])
    assert "are of --source live" in str(result.exception)


def offers(cameras: Sequence[str], microphones: Sequence[tuple[int, bool]]) -> Devices:
    """What a machine has: paths of cameras, and numbers of microphones with whether one is the default."""
    return Devices(
        cameras=tuple(CameraOffer(path, None) for path in cameras),
        microphones=tuple(MicrophoneOffer(index, default) for index, default in microphones),
    )


@dataclass(frozen=True)
class CameraOffer:
    path: str
    stable_path: str | None


@dataclass(frozen=True)
class MicrophoneOffer:
    index: int
    default: bool


@dataclass(frozen=True)
class Devices:
    cameras: Sequence[CameraOffer]
    microphones: Sequence[MicrophoneOffer]


@pytest.mark.parametrize(
    ("cameras", "microphones", "camera", "microphone"),
    [
        (["/dev/video2", "/dev/video0"], [(3, False), (5, True)], "/dev/video2", "default"),
        (["/dev/video0"], [(3, False), (4, False)], "/dev/video0", "3"),
        ([], [(3, True)], None, "default"),
        (["/dev/video0"], [], "/dev/video0", None),
    ],
)
def test_without_a_name_the_machines_own_devices_are_taken(monkeypatch, cameras, microphones, camera, microphone):
    monkeypatch.setattr(live, "find_devices", lambda: offers(cameras, microphones))
    found = live.devices_from(None, None)
    assert (found.camera, found.microphone) == (camera, microphone)


def test_a_named_device_is_taken_alone(monkeypatch):
    monkeypatch.setattr(live, "find_devices", lambda: pytest.fail("nobody asked for others"))
    found = live.devices_from("0", None)
    assert (found.camera, found.microphone) == ("0", None)


def test_what_was_dropped_before_the_round_does_not_count():
    assert live._subtract({"overtaken": 3, "gap": 2}, {"overtaken": 5, "gap": 2, "stale": 1}) == {
        "overtaken": 2,
        "stale": 1,
    }


def test_devices_that_send_nothing_are_one_line(monkeypatch):
    monkeypatch.setattr(live, "_OPENED_WITHIN_S", 0.1)
    monkeypatch.setattr(live, "_WARM_UP_S", 0.0)
    closed = threading.Event()

    class Silent(FrameRunner):
        def perceive(self, *streams):
            assert closed.wait(30)
            yield from ()

    class Mute:
        def close(self) -> None:
            closed.set()

    with pytest.raises(BenchError, match=r"no percept came within 0\.2 s: do the devices send anything\?"):
        live.run_live(Silent(), [Mute()], 0.1)
