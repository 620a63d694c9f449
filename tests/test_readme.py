"""Every command of the README works as it stands there."""

import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from command_line import EDGEFUSE, edgefuse

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP

README = (Path(__file__).parent.parent / "README.md").read_text()
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
COMMANDS = [shlex.split(line, comments=True) for line in SHELL if line.startswith("edgefuse ")]
TOO_LONG = {"train", "export", "verify", "bench", "confidence"}
NOT_HERE = {"--camera", "sign", "--require-signature"}
"""What needs a device, or a key."""

NOT_RUN = TOO_LONG | NOT_HERE


def too_long() -> list:
    return [pytest.param(command[1:], id=" ".join(command)) for command in COMMANDS if NOT_RUN & set(command)]


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A directory as a user has it, with a clip of their own and a bundle."""
    shutil.copy(DEFAULT_CLIP, tmp_path / "clip.mp4")
    shutil.copy(DEFAULT_CLIP.with_suffix(".wav"), tmp_path / "clip.wav")
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_commands_work_one_after_the_other(desk):
    for arguments in (command[1:] for command in COMMANDS if not NOT_RUN & set(command)):
        fast = ["--fast"] if arguments[0] == "run" and "--fast" not in arguments else []
        result = subprocess.run([str(EDGEFUSE), *arguments, *fast], capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, f"{arguments}: {result.stderr}"


@pytest.mark.parametrize("arguments", too_long())
def test_the_options_of_a_long_command_exist(arguments):
    words = arguments[: 2 if arguments[0] == "calibrate" else 1]
    for option in (argument for argument in arguments if argument.startswith("-")):
        assert re.search(rf"(^|\s){option}\b", shown_help(*words)), option


@cache
def shown_help(*words: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", edgefuse(*words, "--help").stdout)


def test_the_python_example_works(desk):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    fast = example.replace('with_suffix(".wav"))', 'with_suffix(".wav"), live=False)')
    result = subprocess.run([sys.executable, "-c", fast], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) > 100


def test_the_files_it_names_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parent.parent / path).exists(), path
