"""The demonstration clip and its truth."""

import json

import cv2
import numpy as np
import pytest
import soundfile

from edgefuse.fusion.errors import DataError
from edgefuse.tabletop import clip
from edgefuse.tabletop.errors import SynthesisError
from edgefuse.tabletop.vocabulary import HELD_OUT, LABELS


def test_the_script_holds_what_a_demonstration_needs():
    shown = [line[2] for line in clip.SCRIPT]
    pairs = [tuple(label.split(" ")) for label in shown if label]
    assert sum(pair in HELD_OUT for pair in pairs) == 2
    assert sum(line[2] != line[3] for line in clip.SCRIPT if line[2] and line[3]) == 1
    assert any(line[2] and not line[3] for line in clip.SCRIPT)
    assert any(line[3] and not line[4] for line in clip.SCRIPT)
    assert all(one[1] == two[0] for one, two in zip(clip.SCRIPT, clip.SCRIPT[1:], strict=False))
    assert all(label in LABELS for label in shown if label)


def test_film_sound_and_truth_fit(tmp_path, monkeypatch):
    cube, star = (0.2, 2.0, "green cube", "green cube", True), (2.0, 3.2, "red star", None, False)
    script = ((0.0, 0.2, None, None, True), cube, star)
    monkeypatch.setattr(clip, "SCRIPT", script)
    truth = json.loads(clip.render_clip(tmp_path / "a.mp4", tmp_path / "a.wav", 1).read_text())
    film = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1])
    pcm, rate = soundfile.read(tmp_path / "a.wav")
    assert (len(frames), frames[0].shape, rate, len(pcm)) == (96, (240, 320, 3), 16_000, 51_200)
    lit, dark = frames[35].astype(int), frames[80].astype(int)
    assert (lit[:, :, 1] - lit[:, :, 2]).max() > 60
    assert dark.mean() < 15 < lit.mean()
    segment = truth["segments"][1]
    assert segment["label"] == "green cube"
    assert 0.6 < segment["said_start_s"] < segment["said_end_s"] < 2.6
    start, end = (int(segment[name] * 16_000) for name in ("said_start_s", "said_end_s"))
    assert np.sqrt((pcm[start:end] ** 2).mean()) > 0.08


def test_an_unwritable_place_is_one_line(tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        clip.render_clip(tmp_path / "none" / "a.mp4", tmp_path / "a.wav")


def test_the_command_replaces_a_clip_by_a_whole_one_or_not_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(clip, "SCRIPT", ((0.0, 0.2, None, None, True), (0.2, 0.4, "green cube", None, True)))
    video = tmp_path / "a.mp4"
    monkeypatch.setattr("sys.argv", ["clip", str(video)])
    clip.main()
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == {"a.mp4", "a.wav", "a.json"}

    def stopped(*arguments):
        raise SynthesisError("espeak-ng is not installed")

    monkeypatch.setattr(clip, "film", stopped)
    with pytest.raises(SystemExit, match="2"):
        clip.main()
    assert capsys.readouterr().err == "edgefuse: espeak-ng is not installed\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == made


@pytest.mark.parametrize(("name", "said"), [("a.wav", "ends in .mp4"), ("none/a.mp4", "cannot be written: No such")])
def test_the_command_refuses_a_place_that_will_not_do(name, said, tmp_path):
    with pytest.raises(DataError, match=said):
        clip.remake(tmp_path / name)
