"""What is written is whole, or what was there before."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgefuse.runtime.files.whole_file import UNFINISHED, write_beside, write_whole

IS_KILLED = """
import os, signal, sys
from pathlib import Path
from edgefuse.runtime.files.whole_file import write_beside
with write_beside(Path(sys.argv[1])) as beside:
    beside.write_text("hal")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_file_takes_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "numbers.npz"
    with write_beside(path) as beside:
        assert beside.suffix == path.suffix
        beside.write_text("whole")
        assert not path.exists()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("numbers.npz", "whole")]


def test_what_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "numbers.npz"
    write_whole(path, b"former")
    with pytest.raises(IsADirectoryError):
        write_half(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("numbers.npz", "former")]


def test_a_process_that_is_killed_leaves_what_was_there_and_a_name_that_says_so(tmp_path):
    path = tmp_path / "numbers.npz"
    write_whole(path, b"former")
    killed = subprocess.run([sys.executable, "-c", IS_KILLED, str(path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"former"
    (left,) = (file.name for file in tmp_path.iterdir() if file != path)
    assert left.startswith(UNFINISHED)


def write_half(path: Path) -> None:
    with write_beside(path) as beside:
        beside.write_text("hal")
        path.parent.write_text("what cannot be written")
