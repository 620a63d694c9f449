"""The command line as a user types it."""

import json
import shutil
import subprocess
import sys

import pytest
from command_line import EDGEFUSE, edgefuse

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that bad input gets."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("edgefuse: ")
    assert result.stdout == ""
    return lines[0]


def test_run_with_no_argument_runs_the_default_clip_fast():
    result = edgefuse("run", "--fast")
    assert result.returncode == 0, result.stderr
    assert "summary" in result.stdout
    assert "percepts at 30.0 Hz" in result.stdout


def test_jsonl_on_stdout_is_json_and_nothing_else():
    result = edgefuse("run", "--fast", "--jsonl", "-", "--rate", 5)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    stamps = [line["stamp_ns"] for line in lines]
    assert len(lines) > 10
    assert stamps == sorted(stamps)


def test_a_sense_can_be_taken_away():
    result = edgefuse("run", "--fast", "--drop", "image", "--jsonl", "-")
    senses = [json.loads(line)["senses"] for line in result.stdout.splitlines()]
    assert senses
    assert not any(each["image"]["valid"] for each in senses)
    assert all(each["audio"]["valid"] for each in senses)


def test_prompts_are_the_classes():
    result = edgefuse("run", "--fast", "--jsonl", "-", "--rate", 2, "--prompt", "a red ball", "--prompt", "a cube")
    assert set(json.loads(result.stdout.splitlines()[0])["scores"]) == {"a red ball", "a cube", "nothing"}


def test_a_prompt_that_training_hardly_knew_is_warned_of_and_is_never_certain():
    result = edgefuse("run", "--fast", "--jsonl", "-", "--prompt", "a zebra")
    percepts = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.stderr.startswith("edgefuse: warning: the prompt 'a zebra' is far from all that training knew: ")
    assert "of prompts far from training" in result.stderr
    assert {(one["label"], one["far_prompt"]) for one in percepts} == {("a zebra", True), ("nothing", False)}
    assert {one["certain"] for one in percepts} == {None}


def test_run_imports_no_torch():
    code = "import sys; sys.argv = ['edgefuse', 'run', '--fast', '--rate', '1']; from edgefuse.__main__ import main\n"
    code += "try: main()\nexcept SystemExit: pass\nprint('torch' in sys.modules, 'matplotlib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.stdout.splitlines()[-1] == "False False", result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bundle", "nowhere"], "nowhere: no such bundle"),
        (["nowhere.mp4"], "nowhere.mp4"),
        (["--audio", "nowhere.wav"], "nowhere.wav: no such sound file"),
        (["--prompt", ""], "a prompt is empty"),
        (["--prompt", "x" * 10_000], "10000 characters"),
        (["--drop", "smell"], "the bundle's senses are image, audio, text"),
        (["--drop", "image", "--drop", "audio", "--drop", "text"], "took every sense away"),
        (["--jsonl", "/nowhere/percepts.jsonl"], "/nowhere/percepts.jsonl cannot be written"),
        (["--timeline", "/nowhere/demo.png"], "/nowhere/demo.png cannot be written"),
        (["--record", "/nowhere/run.mcap"], "/nowhere/run.mcap cannot be written"),
        (["--topic", "image=/camera"], "--topic is for recordings"),
        (["--camera", "0"], "--fast is for files"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(edgefuse("run", "--fast", *arguments))


def test_train_refuses_an_encoder_that_is_not_there(tmp_path):
    result = edgefuse("train", "-o", tmp_path / "out", "--image-encoder", tmp_path / "nowhere")
    assert "nowhere: no such directory" in refused(result)
    assert not (tmp_path / "out").exists()


def test_a_camera_that_is_not_there_gets_one_line():
    assert "cannot be opened" in refused(edgefuse("run", "--camera", "/dev/video97"))


def test_a_recording_replays_to_the_same_percepts(tmp_path):
    recording = tmp_path / "run.mcap"
    assert edgefuse("run", "--fast", "--rate", 5, "--record", recording).returncode == 0
    first, second = (edgefuse("run", recording, "--fast", "--rate", 5, "--jsonl", "-").stdout for _ in range(2))
    contents = [[json.loads(line) | {"trace": None} for line in text.splitlines()] for text in (first, second)]
    assert len(contents[0]) > 50
    assert contents[0] == contents[1]


@pytest.mark.parametrize(("options", "said"), [(["--lossless"], "the very frames"), ([], "JPEG, which a replay")])
def test_a_lossless_recording_replays_to_the_percepts_of_the_run_itself(options, said, tmp_path):
    recording, percepts = tmp_path / "run.mcap", tmp_path / "percepts.jsonl"
    recorded = edgefuse("run", "--fast", "--rate", 5, "--record", recording, *options, "--jsonl", percepts)
    assert f"{recording} is written: " in recorded.stdout
    assert f"{percepts} is written" in recorded.stdout
    assert said in recorded.stdout
    replayed = edgefuse("run", recording, "--fast", "--rate", 5, "--jsonl", "-").stdout
    texts = percepts.read_text(), replayed
    first, second = ([json.loads(line) | {"trace": None} for line in text.splitlines()] for text in texts)
    assert len(first) > 50
    assert (first == second) == bool(options)


def test_a_damaged_bundle_gets_one_line(tmp_path):
    bundle = shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    (bundle / "image.onnx").write_bytes(b"")
    assert "image.onnx was altered" in refused(edgefuse("run", "--bundle", bundle))


def test_a_clip_without_sound_gets_one_line_that_says_what_to_do(tmp_path):
    clip = shutil.copy(DEFAULT_CLIP, tmp_path / "mute.mp4")
    line = refused(edgefuse("run", clip))
    assert "expected mute.wav" in line
    assert "--drop audio" in line
    assert edgefuse("run", clip, "--fast", "--drop", "audio", "--rate", 1).returncode == 0


def test_a_truncated_clip_gets_one_line(tmp_path):
    clip = tmp_path / "cut.mp4"
    clip.write_bytes(DEFAULT_CLIP.read_bytes()[:-20_000])
    shutil.copy(DEFAULT_CLIP.with_suffix(".wav"), clip.with_suffix(".wav"))
    assert "cut.mp4" in refused(edgefuse("run", clip))


def test_ctrl_c_still_gives_the_summary(tmp_path):
    import signal

    path = tmp_path / "percepts.jsonl"
    process = subprocess.Popen(
        [str(EDGEFUSE), "run", "--jsonl", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not (path.exists() and path.read_text().count("\n") > 3):
        pass
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "summary" in stdout
    assert "Traceback" not in stderr


def test_doctor_reports_what_is_there():
    result = edgefuse("doctor", COLUMNS="200")
    assert result.returncode == 0
    assert "onnxruntime" in result.stdout
    assert "numpy" in result.stdout
