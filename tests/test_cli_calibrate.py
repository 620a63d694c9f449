"""`edgefuse calibrate` as a user types it, and `edgefuse run` with what it measured."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import yaml
from command_line import edgefuse, refused

sys.path.insert(0, str(Path(__file__).parent / "calibration"))

from flashes import RATE_HZ, Clocks, chunks, frames, moments
from rendering import LENSES, Scene, photograph

from edgefuse.calibration import Board

BOARD = Board("charuco", 9, 6, 0.028, 0.021)
LATE_S = 0.18
FRAME_MS = 1e3 / 30  # the video counts a frame's stamp from its beginning, the truth from its end


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """Pictures of a board, and a video of a lamp that flashes and beeps, its sound late by LATE_S."""
    place = tmp_path_factory.mktemp("desk")
    (place / "pictures").mkdir()
    for number, picture in enumerate(photograph(Scene(LENSES[2], BOARD), BOARD, 12, seed=5)):
        cv2.imwrite(str(place / "pictures" / f"{number:02d}.png"), picture)
    rng = np.random.default_rng(2)
    times = moments(20, rng)
    writer = cv2.VideoWriter(str(place / "flashes.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (64, 48))
    for frame in frames(times, 20, rng):
        writer.write(frame.image)
    writer.release()
    pcm = np.concatenate([chunk.pcm for chunk in chunks(times, 20, Clocks(0), 9, rng)])
    late = np.append(np.zeros(round(LATE_S * RATE_HZ), np.float32), pcm)[: len(pcm)]
    soundfile.write(place / "flashes.wav", late, RATE_HZ)
    return place


def test_a_camera_is_calibrated_from_pictures_and_a_run_uses_it(desk, tmp_path):
    file, picture = tmp_path / "camera.yaml", tmp_path / "camera.png"
    result = edgefuse("calibrate", "camera", desk / "pictures", "-o", file, "--picture", picture, "--name", "front")
    assert result.returncode == 0, result.stderr
    assert "plumb_bob, focal length 3" in result.stdout
    content = yaml.safe_load(file.read_text())
    assert content["camera_name"] == "front"
    assert content["camera_matrix"]["data"][0] == pytest.approx(LENSES[2].focal[0], rel=0.005)
    assert picture.stat().st_size > 10_000
    assert "calibrated at 640 x 480 but gives 320 x 240" in refused("run", "--fast", "--camera-info", file)
    smaller = content | {"image_width": 320, "image_height": 240}
    file.write_text(yaml.safe_dump(smaller))
    assert edgefuse("run", "--fast", "--rate", 1, "--camera-info", file).returncode == 0


def test_a_sync_is_measured_from_a_video_and_a_run_uses_it(desk, tmp_path):
    file = tmp_path / "sync.json"
    result = edgefuse("calibrate", "sync", desk / "flashes.mp4", "-o", file, "--picture", tmp_path / "sync.png")
    assert result.returncode == 0, result.stderr
    assert "late" in result.stdout
    assert json.loads(file.read_text())["offset_ms"] == pytest.approx(LATE_S * 1e3 + FRAME_MS, abs=5)
    assert (tmp_path / "sync.png").stat().st_size > 10_000
    ages = []
    for options in ([], ["--sync", file]):
        lines = edgefuse("run", "--fast", "--rate", 5, "--jsonl", "-", *options).stdout.splitlines()
        heard = [json.loads(line)["senses"]["audio"]["age_ms"] for line in lines]
        ages.append(np.median([age for age in heard if age is not None]))
    assert ages[1] - ages[0] == pytest.approx(LATE_S * 1e3 + FRAME_MS, abs=110), "the sound is not taken as older"


def test_a_board_is_drawn_that_is_found_again(tmp_path):
    file = tmp_path / "board.png"
    assert edgefuse("calibrate", "board", "-o", file).returncode == 0
    gray = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    corners = BOARD.find(cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    assert corners is not None
    assert len(corners.image) == 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["camera"], "nothing to perceive"),
        (["camera", "."], "holds no pictures"),
        (["camera", "--camera", "/dev/video97"], "cannot be opened"),
        (["camera", "pictures", "--size", "nine"], "--size nine: expected squares"),
        (["camera", "pictures", "--size", "5x7"], "8 at least; move the board"),
        (["camera", "pictures", "-o", "/nowhere/camera.yaml"], "/nowhere/camera.yaml cannot be written"),
        (["camera", "pictures", "--picture", "camera.txt"], "camera.txt cannot be drawn"),
        (["sync", "--camera", "0"], "give both --camera and --microphone"),
        (["sync", "nowhere.mp4", "--audio", "flashes.wav"], "nowhere.mp4"),
        (["sync", "flashes.mp4", "--most", "60"], "agree on one offset"),
        (["sync", "flashes.mp4", "-o", "/nowhere/sync.json"], "/nowhere/sync.json cannot be written"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(desk, monkeypatch, arguments, said):
    monkeypatch.chdir(desk)
    assert said in refused("calibrate", *arguments)
    assert sorted(path.name for path in desk.iterdir()) == ["flashes.mp4", "flashes.wav", "pictures"]


def test_a_run_refuses_a_file_that_is_not_one(desk, monkeypatch):
    monkeypatch.chdir(desk)
    assert "no text in UTF-8" in refused("run", "--fast", "--sync", "flashes.wav")
    assert "No such file" in refused("run", "--fast", "--camera-info", "nowhere.yaml")
