"""Names, passwords and tokens of a camera's URL are in nothing that edgefuse says or writes."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Prepared, edgefuse
from fuzzing import is_one_line
from wrong_places import Parameter, every_file

from edgefuse.runtime.errors import EdgefuseError, StreamError, address_shown, in_one_line, without_credentials
from edgefuse.runtime.streams.camera import Camera

sys.path.insert(0, str(Path(__file__).parent / "runtime" / "streams"))

from mjpeg_server import MjpegServer

SECRET = "s3kr1t"
WRITTEN = {
    "rtsp://me:s3kr1t@cam/1": "rtsp://cam/1",
    "rtsp://s3kr1t@cam/1": "rtsp://cam/1",
    "HTTP://me:s3kr1t@CAM": "HTTP://CAM",
    "http:/me:s3kr1t@cam/v": "http:/cam/v",
    "http://me:p@[::1]:80/v?x=s3kr1t": "http://[::1]:80/v?x=***",
    "http://cam/v?token=s3kr1t&size=s3kr1t": "http://cam/v?token=***&size=***",
    "http://cam/v?token=a=s3kr1t==": "http://cam/v?token=***",
    "http://cam/v?s3kr1t": "http://cam/v?***",
    "http://cam/v#s3kr1t": "http://cam/v#***",
    "http://me:s3kr1t@cam/v?mail=a@b": "http://cam/v?mail=***",
    "http://me:s3kr1t/x@cam/v": "http://cam/v",
    "http://me:s3kr1t?x@cam/v": "http://cam/v",
    "http://me:s3kr1t#x@cam/v": "http://cam/v",
    "http://me:a@s3kr1t/b@cam/v": "http://cam/v",
    "rtspsrc location=rtsp://me:s3kr1t@cam/1 ! appsink": "rtspsrc location=rtsp://cam/1 ! appsink",
    'rtspsrc user-id=s3kr1t user-pw="a s3kr1t" ! appsink': "rtspsrc user-id=*** user-pw=*** ! appsink",
    "http://cam/x@y": "http://cam/x@y",
    "http://cam:8080/v": "http://cam:8080/v",
    "file:///home/me@work/a.mp4": "file:///home/me@work/a.mp4",
}
SENTENCES = ("{}", "camera {} is gone", "'{}': no such file", "({})", "a {}, and b")


@pytest.mark.parametrize("address", WRITTEN)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_of_an_address_the_rest_is_said_as_it_is(address, sentence):
    said = without_credentials(sentence.format(address))
    assert said == sentence.format(WRITTEN[address])
    assert without_credentials(said) == said


def test_of_an_address_that_breaks_off_in_its_password_nothing_is_said():
    assert without_credentials(f"camera http://me:{SECRET}") == "camera http://***"


def test_a_password_with_a_space_in_it_is_one_too():
    assert address_shown("http://me:a s3kr1t@cam/v?x=b s3kr1t") == "http://cam/v?x=***"


@pytest.mark.parametrize("kind", [EdgefuseError, ValueError, OSError])
def test_an_error_holds_none_whatever_library_raised_it(kind):
    said = in_one_line(kind("x" * 180 + f" no route to http://me:{SECRET}{SECRET}@cam/v"))
    assert SECRET not in said
    assert "no route to http" in said


@pytest.fixture(scope="module")
def prepared() -> Iterator[Prepared]:
    with Prepared() as prepared:
        yield prepared


URL = f"http://me:{SECRET}@127.0.0.1:9/v?token={SECRET}"
WORK = {("train", "output"), ("export", "output")}  # a folder may be called so
PLACES = [place for place in every_file() if (place.command, place.name) not in WORK]
PLACES += [Parameter(command, "camera", "--camera") for command in ("run", "bench", "calibrate camera")]


@pytest.mark.parametrize("parameter", PLACES, ids=str)
def test_a_url_in_the_wrong_place_is_not_echoed(prepared, parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_secret_nowhere(prepared([*parameter.call(URL), "-v"], 60), tmp_path)


@pytest.mark.parametrize("command", ["run", "bench", "doctor", "export", "train", "calibrate camera", "rnu"])
def test_nor_where_it_is_one_word_too_much(prepared, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_secret_nowhere(prepared([*command.split(), "a", "b", URL, f"--camra={URL}"], 60), tmp_path)


def assert_secret_nowhere(result: subprocess.CompletedProcess[str], folder: Path) -> None:
    """In neither what it said nor in what lies in the folder."""
    assert SECRET not in result.stdout, result.stdout
    assert SECRET not in result.stderr, result.stderr
    for path in folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.fixture
def camera() -> Iterator[str]:
    """The address of a network camera, with credentials."""
    server = MjpegServer()
    yield server.url.replace("127", f"me:{SECRET}@127") + f"?token={SECRET}"
    server.kill()


LIVE = {
    "doctor": ["doctor"],
    "bench": ["bench", "--quick", "--source", "live", "--json", "live.json", "--html", "live.html"],
}


@pytest.mark.parametrize("command", LIVE)
def test_a_camera_that_works_is_named_without(command, camera, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = edgefuse("-vv", *LIVE[command], "--camera", camera)
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "camera http://127.0.0.1:" in result.stdout + written, result.stderr
    assert_secret_nowhere(result, tmp_path)


UNREACHABLE = {
    "nobody there": "http://me:{}@127.0.0.1:9/v?t={}",
    "no name of a host": "https://me:{}@nowhere.invalid/v?t={}",
    "an RTSP camera": "rtsp://me:{}@127.0.0.1:9/v?t={}",
    "a password with a slash": "http://me:{}/{}@127.0.0.1:9/v",
    "a password with a bracket": "http://me:{}[{}@127.0.0.1:9/v",
    "a password that is no text for a URL": "http://me:{}\u2100{}@127.0.0.1:9/v",
    "a password with a space": "http://me:{} {}@127.0.0.1:9/v",
    "a scheme that nobody knows": "xyz://me:{}@127.0.0.1:9/v?t={}",
    "a pipeline": "rtspsrc location=rtsp://me:{}@127.0.0.1:9/v user-pw={} ! appsink",
}


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_nor_is_it_said_of_a_camera_that_cannot_be_opened(kind, capfd):
    with pytest.raises(StreamError) as refused:
        Camera(UNREACHABLE[kind].format(SECRET, SECRET)).__enter__()
    said = "".join(traceback.format_exception(refused.value)) + "".join(capfd.readouterr())
    assert SECRET not in said
    assert is_one_line(str(refused.value))
