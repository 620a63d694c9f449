"""Video files as other programs write them: every frame once, at its time, or one line that says why not."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from foreign_videos import FRAMES, RATE_HZ, trimmed, write_video
from fuzzing import each_round, is_one_line, mutated

from edgefuse.runtime import DEFAULT_BUNDLE, AudioChunk, Bundle, Camera, Clip, Frame, StreamError
from edgefuse.runtime.doctor import measure
from edgefuse.runtime.streams.sources import Source, open_streams

MS = 1_000_000
GREY_STEP = 4
WHOLE = {
    "a.mp4": {},
    "sound.mp4": {"sound_s": 3.0},
    "sound.mkv": {"sound_s": 3.0},
    "sound.webm": {"codec": "libvpx", "sound_s": 3.0},
    "sound.ts": {"sound_s": 3.0},
    "fragmented.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "index_first.mp4": {"options": {"movflags": "faststart"}},
    "hevc.mp4": {"codec": "libx265"},
    "ten_bits.mp4": {"codec": "libx265", "pixel_format": "yuv420p10le"},
    "odd.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "size": (161, 121)},
    "one_pixel.mkv": {"codec": "ffv1", "pixel_format": "yuv444p", "size": (1, 1)},
    "a.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "UPPER.MP4": {},
}


def frames_of(path: Path) -> list[Frame]:
    return [sample for sample in Clip(path, None, live=False) if isinstance(sample, Frame)]


def levels(frames: list[Frame]) -> np.ndarray:
    return np.array([frame.image.mean() / GREY_STEP for frame in frames])


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_to_its_end_whatever_its_header_guesses(tmp_path, name):
    frames = frames_of(write_video(tmp_path / name, **WHOLE[name]))
    assert len(frames) == FRAMES
    stamps_ms = np.array([frame.stamp_ns for frame in frames]) / MS
    np.testing.assert_allclose(stamps_ms, np.arange(FRAMES) * 1000 / 30, atol=10)  # a GIF counts hundredths
    if not name.endswith(".gif"):
        np.testing.assert_allclose(levels(frames), np.arange(FRAMES), atol=1.5)


def test_a_trimmed_file_shows_what_it_is_to_show(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", sound_s=3.0)
    frames = frames_of(trimmed(whole, tmp_path / "trimmed.mp4", 1.3))
    np.testing.assert_allclose(levels(frames), np.arange(39, FRAMES), atol=1.5)
    assert frames[0].stamp_ns == 0


def test_frames_at_irregular_times_keep_them(tmp_path):
    frames = frames_of(write_video(tmp_path / "a.mkv", ticks=[0, 1, 2, 10, 11, 30]))
    assert [round(frame.stamp_ns / 1e9 * 30) for frame in frames] == [0, 1, 2, 10, 11, 30]


@pytest.mark.parametrize("name", ["index_first.mp4", "sound.mkv", "sound.webm", "odd.avi"])
def test_what_is_really_cut_off_is_said_after_its_frames(tmp_path, name):
    path = write_video(tmp_path / name, **WHOLE[name])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    samples: list[Frame] = []
    with pytest.raises(StreamError, match=r"is cut off: its last [\d,]+ bytes are missing; \d+ frames can be read"):
        samples.extend(Clip(path, None, live=False))
    assert 0 < len(samples) <= FRAMES


def test_a_bare_stream_is_refused_since_it_has_no_times(tmp_path):
    path = write_video(tmp_path / "a.h264")
    with pytest.raises(StreamError, match=r"a bare h264 stream; .*`ffmpeg -r 30 -i .*a\.h264 .*a-new\.mp4`"):
        frames_of(path)


def test_a_codec_that_opencv_lacks_is_named(tmp_path):
    path = write_video(tmp_path / "a.mp4", "libsvtav1")
    try:
        assert len(frames_of(path)) == FRAMES  # an OpenCV that has it
    except StreamError as error:
        assert "this OpenCV can decode no frame of it (codec AV1); `ffmpeg -i " in str(error)  # noqa: PT017


def test_frames_that_are_too_large_are_refused_before_one_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEFUSE_MAX_FRAME_PIXELS", "19000")
    with pytest.raises(StreamError, match="says that its frames are 160 x 120: 19,200 pixels, of which at most 19,000"):
        Clip(write_video(tmp_path / "a.mp4"), None)


def test_a_damaged_packet_costs_its_frames_and_is_said(tmp_path, caplog):
    path = write_video(tmp_path / "a.avi", "ffv1", "yuv444p")
    content = bytearray(path.read_bytes())
    at = content.index(b"00dc", len(content) // 2) + 8
    content[at : at + 200] = bytes(200)
    path.write_bytes(content)
    frames = frames_of(path)
    assert FRAMES // 2 < len(frames) <= FRAMES
    assert len(frames) == FRAMES or "damaged, and lost" in caplog.text


@pytest.mark.parametrize("name", [b"caf\xe9.mp4", b"a b.mp4", b"concat:a.mp4", b"%03d.mp4", b"-i.mp4"])
def test_any_name_of_a_file_will_do(tmp_path, name):
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    write_video(tmp_path / "a.mp4").rename(path)
    assert len(frames_of(path)) == FRAMES


def open_default(path: Path) -> list:
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    return open_streams(Source(path), manifest, ["image", "audio"], fast=True)


def not_there(path: Path) -> None:
    pass


def unfinished(path: Path) -> None:
    """As a recorder leaves it that is killed: without the index, and with a box that reaches to the end."""
    content = write_video(path).read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])


WRONG = {
    "a.mp4": (not_there, "no such video file"),
    "a.txt": (lambda path: path.write_text("hello"), "is no video that OpenCV can read"),
    "b.mp4": (lambda path: path.touch(), "is empty"),
    "c.mp4": (lambda path: path.mkdir(), "holds no"),
    "d.mp4": (unfinished, "has no index"),
    "e.h264": (write_video, "does not say when its frames were taken"),
    "f.db3": (not_there, "no such recording"),
    "g.bag": (not_there, "no such recording"),
    "h.bag": (lambda path: path.write_bytes(b"#ROSBAG V2.0\n"), "is a bag of ROS 1"),
    "i.db3": (lambda path: path.write_text("hello"), "is no recording"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_file_is_said_before_its_sound_is_looked_for(tmp_path, name):
    make, said = WRONG[name]
    make(tmp_path / name)
    with pytest.raises(StreamError, match=said) as error:
        open_default(tmp_path / name)
    assert is_one_line(error.value)
    assert "sound beside" not in str(error.value)


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "b.mp4", "d.mp4", "e.h264"])
def test_the_doctor_says_of_a_file_what_a_run_says(tmp_path, name):
    make, said = WRONG[name]
    make(tmp_path / name)
    (finding,) = measure(str(tmp_path / name), None)
    assert finding.state == "wrong"
    assert said in finding.detail


def test_a_file_played_as_a_camera_that_is_cut_off_ends_with_that(tmp_path):
    path = write_video(tmp_path / "a.mp4", options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    with pytest.raises(StreamError, match="is cut off"):
        list(Camera(path))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_sound_inside_a_video_is_taken_out_and_fits_its_frames(tmp_path, name):
    (clip,) = open_default(write_video(tmp_path / name, sound_s=3.0))
    samples = list(clip)
    assert sum(isinstance(sample, Frame) for sample in samples) == FRAMES
    pcm = np.concatenate([sample.pcm for sample in samples if isinstance(sample, AudioChunk)])
    assert len(pcm) == pytest.approx(3 * RATE_HZ, abs=0.1 * RATE_HZ)
    loud = np.abs(np.fft.rfft(pcm[RATE_HZ : 2 * RATE_HZ]))
    assert loud.argmax() == 440


def test_sound_inside_a_trimmed_video_is_trimmed_alike(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", sound_s=3.0)
    (clip,) = open_default(trimmed(whole, tmp_path / "trimmed.mp4", 1.3))
    samples = sum(len(sample.pcm) for sample in clip if isinstance(sample, AudioChunk))
    assert samples == pytest.approx(1.7 * RATE_HZ, abs=0.1 * RATE_HZ)


def test_a_video_without_any_sound_is_one_line(tmp_path):
    with pytest.raises(StreamError, match=r"expected a\.wav; .*--drop audio; there is none inside it either"):
        open_default(write_video(tmp_path / "a.mp4"))


def test_without_pyav_the_command_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(StreamError, match=r"`pip install av` .* `ffmpeg -i .*a\.mp4 .*a\.wav` does it once"):
        open_default(write_video(tmp_path / "a.mp4", sound_s=1.0))


READ_ALL = """
import sys
from pathlib import Path
from edgefuse.runtime import Clip, StreamError
from edgefuse.runtime.streams.sound_inside import sound_of
for path in map(Path, sys.argv[1:]):
    try:
        print(sum(frame.image.shape[2] == 3 for frame in Clip(path, None, live=False)), "frames")
    except StreamError as error:
        print(error)
    try:
        folder = path.with_suffix(".taken_out")
        folder.mkdir(exist_ok=True)
        print(sum(len(chunk.pcm) for chunk in Clip(None, sound_of(path, folder), live=False)), "samples")
    except StreamError as error:
        print(error)
"""


@pytest.mark.fuzz
@pytest.mark.parametrize("name", ["index_first.mp4", "sound.mkv", "sound.ts", "odd.avi", "a.gif"])
def test_a_mutated_video_gives_frames_or_one_line(tmp_path, name):
    """In a process of its own, since FFmpeg may crash; several at once, since a process takes long to start."""
    whole = write_video(tmp_path / name, **{**WHOLE[name], "ticks": range(15)}).read_bytes()

    def check(random: Random) -> None:
        paths = [tmp_path / f"{number}-{name}" for number in range(3)]
        for path in paths:
            path.write_bytes(mutated(whole, random))
        command = [sys.executable, "-c", READ_ALL, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
        lines = done.stdout.splitlines()
        assert len(lines) == 2 * len(paths), lines
        assert all(map(is_one_line, lines))

    each_round(1, check)
