"""Sound as a user gives it to the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import edgefuse, refused

from edgefuse.runtime import DEFAULT_CLIP


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The default clip in capitals, its sound on the second of two channels."""
    shutil.copy(DEFAULT_CLIP, tmp_path / "UP.MP4")
    pcm, rate_hz = soundfile.read(DEFAULT_CLIP.with_suffix(".wav"), dtype="int16")
    soundfile.write(tmp_path / "UP.WAV", np.stack([0 * pcm, pcm], axis=1), rate_hz)
    return tmp_path / "UP.MP4"


def percepts(*arguments: object) -> tuple[list[dict[str, Any]], str]:
    """Without what is of the computer's time, and what was said beside them."""
    result = edgefuse("run", *arguments, "--fast", "--jsonl", "-")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [{name: value for name, value in line.items() if name != "trace"} for line in lines], result.stderr


def test_the_channel_that_is_asked_for_is_what_is_heard(clip: Path) -> None:
    expected, _ = percepts()
    heard, said = percepts(clip, "--channel", 1)
    assert heard == expected
    assert "quieter" not in said
    _, said = percepts(clip)
    assert said.count("UP.WAV: the mean of its 2 channels is 6 dB quieter than channel 1 alone") == 1


def test_a_channel_that_cannot_be_is_one_line(clip: Path) -> None:
    assert "UP.WAV has no channel 2: it has the channels 0 to 1" in refused("run", clip, "--channel", 2)
    assert "--channel" in refused("run", clip, "--channel", -1)


def test_sound_that_is_cut_off_is_said_and_used(clip: Path) -> None:
    sound = clip.with_suffix(".WAV")
    with sound.open("r+b") as file:
        file.truncate(sound.stat().st_size // 2)
    heard, said = percepts(clip, "--channel", 1)
    assert len(heard) == 612
    assert f"edgefuse: warning: {sound} is cut off or damaged: only 10." in said
    assert "Traceback" not in said
