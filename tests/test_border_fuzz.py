"""Options in any combination, with any values: it ends soon, in a code and a line that somebody thought of."""

from __future__ import annotations

import os
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command_line import Prepared
from fuzzing import LONGEST_ROUND, SENSELESS, each_round, is_one_line
from wrong_places import CHECKPOINT, TO_READ, WRITTEN, every_command

from edgefuse.cli import commands
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP
from edgefuse.runtime.errors import printable

COMMANDS = dict(every_command(commands()))
LASTING = {"train", "export", "bench", "verify", "calibrate", "doctor"}
"""What takes long where it is called well, and is then ended."""

WORDS = (
    "auto", "cpu", "none", "bundle", "base", "image", "audio=", "image=/a", "[/]", "\x1b[2J", "-", "--", "", "0", "1",
    "default", "live", "x:y", "int8", "height=1", "8.9", "torch", "cpu,cpu", "module.py:f", "\udcff", "../..", "~",
    "4x4", "9x6", "99999999x4", "1e309", "-0", "0x10", "\u0661", "5X5_100",
)  # fmt: skip
THERE = (DEFAULT_BUNDLE, DEFAULT_CLIP, CHECKPOINT, "/dev/zero", "/dev/null", "/", "/proc/1/mem")
KEPT = ("-h", "--install-completion", "--show-completion")


@pytest.mark.fuzz
def test_any_options_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    files = [make(tmp_path, suffix) for make in TO_READ for suffix in ("", ".mp4", ".mcap", ".json", ".wav")]
    with Prepared() as prepared:

        def check(random: Random) -> None:
            words = call(random, files)
            ended = prepared(words, 0.8 * LONGEST_ROUND)
            errors = [
                line for line in ended.stderr.splitlines() if not re.match("edgefuse: (warning|info|debug): ", line)
            ]
            if ended.returncode == -9 and words[0] in LASTING:
                return
            assert ended.returncode in (0, 1, 2), (words, ended)
            assert "edgefuse: unexpected " not in ended.stderr, (words, ended)
            assert "Traceback" not in ended.stderr, (words, ended)
            if ended.returncode == 2:
                assert is_one_line("\n".join(errors)), (words, ended)
                assert printable(errors[0]) == errors[0], (words, ended)

        each_round(3, check)


def call(random: Random, files: list[Path]) -> list[str]:
    """A command with some of its options, each with a value of some kind or none."""
    name = random.choice(list(COMMANDS))
    parameters = [one for one in COMMANDS[name].params if not set(one.opts) & set(KEPT)]
    chosen = random.sample(parameters, random.randrange(min(len(parameters), 6) + 1))
    words = name.split()
    if name == "run":
        words += ["--fast", "--rate", "1"]
    for parameter in chosen:
        option = next((word for word in reversed(parameter.opts) if word.startswith("-")), None)
        words += [option] if option else []
        if not getattr(parameter, "is_flag", False) and random.random() < 0.95:
            words.append(value(random, files, parameter))
    return words


def value(random: Random, files: list[Path], parameter: Any) -> str:
    """Nothing outside of the test's own directory is written."""
    if parameter.name in WRITTEN:
        return str(random.choice((*files, "out.png", "out.json", "-", "[b].svg", "\x1b.mcap", "out", ".", "")))
    kind = random.randrange(6)
    if kind == 0:
        return str(random.choice(THERE))
    if kind == 1:
        return str(random.choice(files))
    if kind == 2:
        return random.choice(WORDS)
    if kind == 3:
        return os.fsdecode(random.randbytes(random.randrange(1, 12)).replace(b"\0", b"\1"))
    return str(random.choice(SENSELESS)).replace("\0", "\1")[:500]
