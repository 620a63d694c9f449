"""How far a command is, where no terminal shows a bar: in a pipe, a file, the log of a build."""

import re
import time

import pytest

from edgefuse import terminal
from edgefuse.terminal import open_console, progress_bar, still_bar


@pytest.mark.parametrize("bar", [progress_bar, still_bar])
def test_a_line_comes_again_and_again_also_while_a_stage_takes_long(bar, capsys, monkeypatch):
    monkeypatch.setattr(terminal, "_LINE_EVERY_S", 0.02)
    said = ""
    until = time.monotonic() + 60
    with bar(open_console()) as progress:
        progress("int8 of image", 3, 12)
        while said.count("\n") < 3 and time.monotonic() < until:
            time.sleep(0.01)
            said += capsys.readouterr().err
    lines = said.splitlines()
    assert len(lines) >= 3
    assert all(re.fullmatch(r"edgefuse: \d+ s: int8 of image, 3 of 12 \.\.\.", line) for line in lines[1:]), lines
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == "", "it is over"


def test_nothing_is_said_of_what_is_over_at_once_nor_where_quiet_is_wanted(capsys, monkeypatch):
    with progress_bar(open_console()) as progress:
        progress("a", 0, None)
    monkeypatch.setattr(terminal, "_LINE_EVERY_S", 0.01)
    monkeypatch.setattr(terminal, "is_quiet", lambda: True)
    with progress_bar(open_console()):
        time.sleep(0.1)
    assert capsys.readouterr() == ("", "")
