"""The ways out of a command: whatever ends it, what it wrote is whole, nothing is left, and the code says why."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import pytest
from command_line import EDGEFUSE
from mcap.reader import make_reader

sys.path.insert(0, str(Path(__file__).parent / "runtime" / "streams"))

from sound_server import until

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OUTPUTS = ("--record", "run.mcap", "--jsonl", "run.jsonl", "--timeline", "run.png")


@pytest.fixture(scope="module", autouse=True)
def signals_that_end() -> Iterator[None]:
    """As a shell in the foreground has them; below nohup, SIGHUP is ignored, which processes hand down."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start(folder: Path, *arguments: object, **given: object) -> subprocess.Popen[str]:
    words = [str(EDGEFUSE), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | given
    return subprocess.Popen(words, cwd=folder, text=True, **pipes)


def perceives(process: subprocess.Popen[str], folder: Path, percepts: int = 4) -> None:
    """Waits until it does."""
    path = folder / "run.jsonl"
    until(lambda: process.poll() is not None or (path.exists() and path.read_text().count("\n") >= percepts), 60)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def check_whole(folder: Path, names: Sequence[str] = ("run.jsonl", "run.mcap", "run.png")) -> None:
    """All that a run wrote, and nothing beside it."""
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    lines = (folder / "run.jsonl").read_text().splitlines()
    assert all(json.loads(line)["label"] for line in lines)
    if "run.mcap" in names:
        with (folder / "run.mcap").open("rb") as file:
            summary = make_reader(file).get_summary()
        assert summary is not None, "there is no index"
        counts = summary.statistics.channel_message_counts
        (percepts,) = (key for key, channel in summary.channels.items() if channel.topic == "/edgefuse/percepts")
        assert counts[percepts] == len(lines)
    if "run.png" in names:
        assert cv2.imread(str(folder / "run.png")) is not None


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_run_that_writes_everything_whole(number: signal.Signals, tmp_path: Path):
    process = start(tmp_path, "run", *OUTPUTS)
    perceives(process, tmp_path)
    process.send_signal(number)
    code, stdout, stderr = ended(process)
    assert (code, stderr) == (128 + number, "")
    assert "summary" in stdout
    check_whole(tmp_path)


@pytest.mark.parametrize("again", [(signal.SIGINT,), (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP)])
def test_further_signals_do_not_disturb_the_ending(again: Sequence[signal.Signals], tmp_path: Path):
    """As systemd sends them, and who presses Ctrl-C twice."""
    process = start(tmp_path, "run", *OUTPUTS)
    perceives(process, tmp_path)
    process.send_signal(signal.SIGINT)
    for number in again:
        process.send_signal(number)
    code, stdout, stderr = ended(process)
    assert code in {128 + number for number in (signal.SIGINT, *again)}  # the kernel hands them over in any order
    assert set(stderr.splitlines()) <= {"edgefuse: finishing what was begun; Ctrl-C once more leaves it unfinished"}
    assert "summary" in stdout
    check_whole(tmp_path)


def test_a_terminal_that_is_gone_ends_a_run_that_writes_everything_whole(tmp_path: Path):
    ours, theirs = pty.openpty()
    process = start(
        tmp_path, "run", *OUTPUTS, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )  # fmt: skip
    os.close(theirs)
    perceives(process, tmp_path)
    os.close(ours)
    assert process.wait(60) == 128 + signal.SIGHUP
    check_whole(tmp_path)


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path):
    process = subprocess.Popen(
        ["nohup", str(EDGEFUSE), "run", "--fast", "--jsonl", "run.jsonl"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    perceives(process, tmp_path, 1)
    process.send_signal(signal.SIGHUP)
    assert ended(process)[0] == 0
