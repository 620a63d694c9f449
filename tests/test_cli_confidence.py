"""`edgefuse calibrate confidence` and `quantization` as a user types them, and what a run makes of the first."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import edgefuse, refused

from edgefuse.runtime import DEFAULT_CLIP

CHECKPOINT = Path(__file__).parent.parent / "tabletop" / "tabletop.safetensors"


def percepts(*arguments: object) -> list[dict]:
    return [json.loads(line) for line in edgefuse("run", "--fast", "--jsonl", "-", *arguments).stdout.splitlines()]


@pytest.mark.slow
def test_confidence_is_measured_on_percepts_that_a_person_labelled_and_a_run_uses_it(tmp_path):
    lines = percepts("--confidence", "none")
    assert {line["certain"] for line in lines} == {None}
    told = tmp_path / "told.jsonl"
    told.write_text("\n".join(json.dumps(line | {"truth": line["label"]}) for line in lines))
    file, picture = tmp_path / "confidence.json", tmp_path / "confidence.png"
    result = edgefuse("calibrate", "confidence", "--percepts", told, "-o", file, "--picture", picture)
    assert result.returncode == 0, result.stderr
    assert "image + audio" in result.stdout
    assert picture.stat().st_size > 10_000
    subset = json.loads(file.read_text())["subsets"][0]
    assert (subset["senses"], subset["precision"]) == (["image", "audio"], 1)
    certain = [line["certain"] for line in percepts("--confidence", file)]
    assert 0.9 < np.mean([one for one in certain if one is not None]) <= 1


@pytest.mark.slow
def test_a_set_is_collected_from_a_clip(tmp_path):
    file = tmp_path / "set.npz"
    result = edgefuse("calibrate", "quantization", DEFAULT_CLIP, "-o", file, "--samples", 64)
    assert result.returncode == 0, result.stderr
    assert "64 samples of" in result.stdout
    with np.load(file, allow_pickle=False) as arrays:
        assert {len(arrays[sense]) for sense in ("image", "audio", "text")} == {64}
        assert json.loads(str(arrays["header"]))["kind"] == "quantization"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["confidence"], "give either --checkpoint, with or without --data, or --percepts"),
        (["confidence", "--percepts", "nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["confidence", "nowhere", "--percepts", "x"], "nowhere: no such bundle"),
        (["confidence", "--percepts", "x", "--picture", "x.txt"], "x.txt cannot be drawn"),
        (["confidence", "--percepts", "x", "-o", "/nowhere/c.json"], "/nowhere/c.json cannot be written"),
        (["confidence", "--checkpoint", "nowhere.safetensors"], "nowhere.safetensors: no such file"),
        (["confidence", "--checkpoint", CHECKPOINT, "--data", "nowhere"], "nowhere: no such folder"),
        (["quantization"], "nothing to perceive"),
        (["quantization", "a.mp4", "--checkpoint", "x"], "give either --checkpoint, or a file"),
        (["quantization", "a.mp4", "--data", "x"], "--data goes with --checkpoint"),
        (["quantization", "a.mp4", "-o", "/nowhere/s.npz"], "/nowhere/s.npz cannot be written"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused("calibrate", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_calibration_is_refused(tmp_path):
    (tmp_path / "c.json").write_text("{}")
    assert "measured: Field required" in refused("run", "--fast", "--confidence", tmp_path / "c.json")
    assert "is no archive of arrays" in refused(
        "export", CHECKPOINT, "-o", tmp_path / "b", "--calibration", tmp_path / "c.json"
    )
