"""A bundle's directory is whole or not there, whatever happens while it is written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgefuse.export.bundle_writer import bundle_written_beside
from edgefuse.export.errors import ExportError
from edgefuse.runtime.bundle.manifest import MANIFEST_FILE

HALF_WRITTEN_AND_WAITING = """
import pathlib, sys, time
from edgefuse.export.bundle_writer import bundle_written_beside
with bundle_written_beside(pathlib.Path(sys.argv[1])) as directory:
    (directory / "half.onnx").write_bytes(b"half")
    print("waiting", flush=True)
    time.sleep(60)
"""


def write(target: Path, content: str, interruption: BaseException | None = None) -> None:
    with bundle_written_beside(target) as directory:
        (directory / MANIFEST_FILE).write_text(content)
        if interruption is not None:
            raise interruption


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def waiting_writer(target: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HALF_WRITTEN_AND_WAITING, str(target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    return process


def test_takes_its_name_when_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "new" / "bundle"
    write(target, "first")
    write(target, "second")
    assert (target / MANIFEST_FILE).read_text() == "second"
    assert names(target.parent) == ["bundle"]


@pytest.mark.parametrize("interruption", [ExportError("bound"), OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_failure_keeps_the_former_bundle(tmp_path: Path, interruption: BaseException) -> None:
    target = tmp_path / "bundle"
    write(target, "former")
    with pytest.raises(type(interruption)):
        write(target, "half", interruption)
    assert (target / MANIFEST_FILE).read_text() == "former"
    assert names(tmp_path) == ["bundle"]


def test_a_killed_writer_leaves_no_bundle_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    process = waiting_writer(target)
    process.kill()
    process.wait()
    assert not target.exists()
    write(target, "whole")
    assert names(target) == [MANIFEST_FILE]
    assert names(tmp_path) == ["bundle"]


def test_an_interrupted_writer_removes_what_it_wrote(tmp_path: Path) -> None:
    process = waiting_writer(tmp_path / "bundle")
    process.send_signal(signal.SIGINT)
    assert process.wait() != 0
    assert names(tmp_path) == []


def test_killed_between_the_renames_the_former_bundle_comes_back(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    write(target, "former")
    target.rename(tmp_path / ".bundle.former")
    with pytest.raises(ExportError):
        write(target, "half", ExportError("this export fails too"))
    assert (target / MANIFEST_FILE).read_text() == "former"


def test_a_second_export_at_the_same_time_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with bundle_written_beside(target) as directory:
        with pytest.raises(ExportError, match="another export is writing"):
            write(target, "second")
        (directory / MANIFEST_FILE).write_text("first")
    assert (target / MANIFEST_FILE).read_text() == "first"


def test_what_is_not_a_bundle_is_never_overwritten(tmp_path: Path) -> None:
    home, file, link, empty = (tmp_path / name for name in ("home", "file", "link", "empty"))
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    file.write_text("also dear")
    os.symlink(home, link)
    for target, reason in ((home, "is not a bundle"), (file, "is a file"), (link, "is a link")):
        with pytest.raises(ExportError, match=reason):
            write(target, "bundle")
    assert (home / "thesis.txt").read_text() == "years of work"
    assert file.read_text() == "also dear"
    empty.mkdir()
    write(empty, "an empty directory may become a bundle")
