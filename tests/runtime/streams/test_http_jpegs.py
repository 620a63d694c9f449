"""Network cameras that send Motion JPEG over HTTP, each in its own way; their bytes, cut into pictures."""

import base64
import random
import struct
from random import Random

import cv2
import numpy as np
import pytest
from fuzzing import each_round, is_one_line, mutated
from mjpeg_server import MjpegServer, usual_part
from sound_server import until

from edgefuse.runtime.errors import SampleError, StreamError
from edgefuse.runtime.streams.camera import Camera
from edgefuse.runtime.streams.http_jpegs import JpegSplitter
from edgefuse.runtime.streams.watchdog import Patience

QUICK = Patience(first_sample_s=0.5, lost_after_s=0.5)


def part(jpeg: bytes, fields: bytes = b"", line: bytes = b"\r\n", after: bytes = b"") -> bytes:
    return line.join([b"--frame", b"Content-Type: image/jpeg", *([fields] if fields else []), b"", jpeg + after, b""])


KINDS = {
    "as it should be": (None, usual_part),
    "bytes after the end": (None, lambda jpeg: usual_part(jpeg + random.randbytes(200))),
    "zeros after the end": (None, lambda jpeg: usual_part(jpeg + bytes(1000))),
    "bytes between the parts": (None, lambda jpeg: usual_part(jpeg) + b"padding\r\n" * 20),
    "no length": (None, part),
    "no length, and bytes after the end": (None, lambda jpeg: part(jpeg, after=b"padding")),
    "only line feeds": (None, lambda jpeg: part(jpeg, b"Content-Length: %d" % len(jpeg), b"\n")),
    "only line feeds, and no length": (None, lambda jpeg: part(jpeg, line=b"\n")),
    "a wrong length": (None, lambda jpeg: part(jpeg, b"Content-Length: %d" % (len(jpeg) // 2))),
    "no type": (None, lambda jpeg: b"--frame\r\n\r\n" + jpeg + b"\r\n"),
    "type image/jpg": (None, lambda jpeg: usual_part(jpeg).replace(b"image/jpeg", b"image/jpg")),
    "a quoted boundary": (b'multipart/x-mixed-replace; boundary="frame"', usual_part),
    "a boundary with its dashes": (b"multipart/x-mixed-replace;boundary=--frame", usual_part),
    "another boundary than it says": (b"multipart/x-mixed-replace; boundary=other", usual_part),
    "no boundary": (b"multipart/x-mixed-replace", usual_part),
    "no kind that says anything": (b"application/octet-stream", usual_part),
    "pictures and nothing else": (b"image/jpeg", lambda jpeg: jpeg),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_comes_whatever_stands_around_it(mjpeg_server, kind):
    type_, mjpeg_server.part = KINDS[kind]
    mjpeg_server.kind = type_ or mjpeg_server.kind
    with Camera(mjpeg_server.url) as camera:
        frames = iter(camera)
        numbers = [mjpeg_server.number(next(frames).image) for _ in range(5)]
        assert camera.broken == 0
        assert camera.health.reconnects == 0
    assert len(set(numbers)) == 5


def saying_30000(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return usual_part(jpeg[:at] + struct.pack(">HH", 30_000, 30_000) + jpeg[at + 4 :])


def test_frames_that_say_they_are_huge_are_skipped_and_the_next_is_taken(mjpeg_server, caplog):
    mjpeg_server.part = saying_30000
    with Camera(mjpeg_server.url) as camera:
        until(lambda: camera.broken >= 3)
        mjpeg_server.part = usual_part
        assert next(iter(camera)).image.shape == (240, 320, 3)
        assert camera.health.reconnects == 0
    said = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert len(said) == 1
    assert "it says that it is 30000 x 30000: 900,000,000 pixels" in said[0]


def test_a_camera_whose_frames_are_all_huge_is_lost_and_says_why(mjpeg_server):
    mjpeg_server.part = saying_30000
    with Camera(mjpeg_server.url, patience=QUICK) as camera:
        until(lambda: camera.state in ("lost", "reconnecting"))
        assert "sent nothing that can be used for 0.5 s: the last says that it is 30000 x 30000" in camera.health.error


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"404 Not Found", b"500 Internal Server Error"])
def test_a_server_that_refuses_is_quoted(mjpeg_server, status):
    mjpeg_server.status = status
    with pytest.raises(StreamError, match=f"video.mjpg cannot be opened: it answers {status.decode()}$"):
        Camera(mjpeg_server.url).__enter__()


def test_the_password_of_the_url_is_given_when_it_is_asked_for(mjpeg_server):
    mjpeg_server.status = b'401 Unauthorized\r\nWWW-Authenticate: Basic realm="camera"'
    with pytest.raises(StreamError, match="answers 401") as error:
        Camera(mjpeg_server.url.replace("127", "me:p%40ss@127")).__enter__()
    assert "p%40ss" not in str(error.value)
    assert b"Authorization: Basic " + base64.b64encode(b"me:p@ss") in mjpeg_server.asked[-1]


def test_what_is_no_jpeg_is_left_to_ffmpeg(mjpeg_server):
    mjpeg_server.kind, mjpeg_server.part = b"text/html", lambda jpeg: b"<html>"
    with pytest.raises(StreamError, match="cannot be opened: it did not answer within 2 s, or not with video"):
        Camera(mjpeg_server.url).__enter__()


def test_a_server_that_never_comes_to_the_end_of_a_picture_is_left(mjpeg_server, monkeypatch):
    monkeypatch.setattr("edgefuse.runtime.streams.http_jpegs._LONGEST_PICTURE_NS", 300_000_000)
    with Camera(mjpeg_server.url) as camera:
        until(lambda: camera.health.samples > 0)
        mjpeg_server.part = lambda jpeg: b"."
        until(lambda: "has sent no whole picture for 0.3 s" in (camera.health.error or ""))
        mjpeg_server.part = usual_part
        until(lambda: camera.health.reconnects == 1)


def jpegs(count: int) -> list[bytes]:
    images = [np.full((24, 32, 3), 20 * n, np.uint8) for n in range(count)]
    return [cv2.imencode(".jpg", image)[1].tobytes() for image in images]


def split(content: bytes, size: int) -> tuple[list[bytes], int]:
    """The pictures in a stream that comes in pieces of a size, and how many were broken."""
    splitter, pictures, broken = JpegSplitter(), [], 0
    for at in range(0, len(content), size):
        splitter.add(content[at : at + size])
        while True:
            try:
                picture = splitter.take()
            except SampleError:
                broken += 1
                continue
            if picture is None:
                break
            pictures.append(picture)
    return pictures, broken


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_pictures_come_out_as_they_went_in_however_they_are_cut(size):
    pictures = jpegs(3)
    assert split(b"\r\n".join(usual_part(one) for one in pictures), size) == (pictures, 0)


@pytest.mark.parametrize("length", [3, 30, 400, 640])
def test_half_a_picture_costs_no_other(length):
    first, second, third = jpegs(3)
    pictures, broken = split(usual_part(first) + usual_part(second[:length]) + usual_part(third), 100)
    assert (pictures, broken) == ([first, third], 1)


@pytest.mark.fuzz
def test_of_a_mutated_stream_what_comes_out_is_whole():
    stream = b"".join(map(usual_part, jpegs(6)))

    def check(random: Random) -> None:
        pictures, _ = split(mutated(stream, random), random.choice((1, 50, 4096)))
        assert all(one.startswith(b"\xff\xd8\xff") and one.endswith(b"\xff\xd9") for one in pictures)

    each_round(30, check)


@pytest.mark.fuzz
def test_a_camera_that_sends_nonsense_gives_frames_counts_or_one_line(mjpeg_server: MjpegServer):
    def check(random: Random) -> None:
        mjpeg_server.part = lambda jpeg: mutated(usual_part(jpeg), random)
        with Camera(mjpeg_server.url, patience=QUICK) as camera:
            until(lambda: camera.health.samples + camera.broken + camera.health.reconnects >= 10, 8)
            assert camera.health.error is None or is_one_line(camera.health.error)

    each_round(2, check)
