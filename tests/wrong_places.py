"""Every parameter of the command line that names a file, and what such a name may wrongly lead to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgefuse.cli import commands
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP

CHECKPOINT = Path(__file__).parent.parent / "tabletop" / "tabletop.safetensors"

WRITTEN = {"output", "jsonl", "timeline", "record", "rrd", "picture", "json", "html"}
_NAMED = {"checkpoint", "source", "jsonl", "confidence"}
"""Not a path alone: what is called may be something else than a file."""

_SUFFIXES = {
    "file": (".mp4", ".mcap", ".db3"), "audio": (".wav",), "source": (".mp4", ".safetensors"),
    "checkpoint": (".safetensors",), "calibration": (".npz",), "camera_info": (".yaml",), "percepts": (".jsonl",),
    "timeline": (".png", ".svg"), "picture": (".png",), "record": (".mcap",), "rrd": (".rrd",), "html": (".html",),
}  # fmt: skip
_CALLS: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {
    "run": ((), ("--fast", "--rate", "1")),
    "export": ((CHECKPOINT,), ("-o", "bundle")),
    "verify": ((DEFAULT_BUNDLE,), ("--checkpoint", CHECKPOINT)),
    "sign": ((DEFAULT_BUNDLE,), ("--key", "key.pem")),
    "train": ((), ("-o", "trained")),
    "bench": ((), ("--quick", "--vs", "torch", "--checkpoint", CHECKPOINT)),
    "calibrate board": ((), ("-o", "board.png")),
    "calibrate camera": ((DEFAULT_CLIP,), ()),
    "calibrate sync": ((DEFAULT_CLIP,), ()),
    "calibrate confidence": ((), ()),
    "calibrate quantization": ((DEFAULT_CLIP,), ()),
}
"""The argument and the options with which each command has all that it needs."""


@dataclass(frozen=True)
class Parameter:
    """One that names a file: of which command, how it is called, whether it is written."""

    command: str
    name: str
    option: str | None

    @property
    def written(self) -> bool:
        return self.name in WRITTEN

    @property
    def suffixes(self) -> tuple[str, ...]:
        return _SUFFIXES.get(self.name, (".json",))

    def call(self, value: object) -> list[object]:
        """The command with this file, and otherwise all that it needs."""
        arguments, options = _CALLS[self.command]
        if self.option is None:
            return [*self.command.split(), value, *options]
        given = [*options]
        if self.option in given:
            del given[(at := given.index(self.option)) : at + 2]
        return [*self.command.split(), *arguments, *given, self.option, value]


def every_file() -> Iterator[Parameter]:
    """Of every command."""
    for words, command in every_command(commands()):
        for one in command.params:
            if "path" in repr(one.type_descriptor).lower() or one.name in _NAMED:
                option = next((o for o in reversed(one.opts) if o.startswith("-")), None)
                yield Parameter(words, one.name, option)


def every_command(group: object, before: str = "") -> Iterator[tuple[str, object]]:
    """By the words that call it."""
    for name, command in group.commands.items():
        words = f"{before} {name}".strip()
        yield from every_command(command, words) if hasattr(command, "commands") else [(words, command)]


def missing(folder: Path, suffix: str) -> Path:
    return folder / f"missing{suffix}"


def in_a_missing_directory(folder: Path, suffix: str) -> Path:
    return folder / "nowhere" / f"within{suffix}"


def unreadable(folder: Path, suffix: str) -> Path:
    path = folder / f"unreadable{suffix}"
    path.write_bytes(b"x")
    path.chmod(0)
    return path


def in_a_closed_directory(folder: Path, suffix: str) -> Path:
    closed = folder / "closed"
    closed.mkdir(exist_ok=True, mode=0)
    return closed / f"within{suffix}"


def in_a_directory_to_be_read_only(folder: Path, suffix: str) -> Path:
    closed = folder / "read_only"
    closed.mkdir(exist_ok=True, mode=0o555)
    return closed / f"within{suffix}"


def empty(folder: Path, suffix: str) -> Path:
    path = folder / f"empty{suffix}"
    path.touch()
    return path


def directory(folder: Path, suffix: str) -> Path:
    path = folder / f"directory{suffix}"
    path.mkdir()
    return path


def pipe(folder: Path, suffix: str) -> Path:
    path = folder / f"pipe{suffix}"
    os.mkfifo(path)
    return path


def not_in_utf_8(folder: Path, suffix: str) -> Path:
    path = folder / os.fsdecode(b"\xff\xfe" + suffix.encode())
    path.write_bytes(b"x")
    return path


def with_a_line_break_and_markup(folder: Path, suffix: str) -> Path:
    path = folder / f"a\n\x1b[31m[bold]b{suffix}"
    path.write_bytes(b"x")
    return path


def circular(folder: Path, suffix: str) -> Path:
    path = folder / f"circle{suffix}"
    path.symlink_to(path)
    return path


def too_long(folder: Path, suffix: str) -> Path:
    return folder / f"{'x' * 300}{suffix}"


Place = Callable[[Path, str], Path]
TO_READ: tuple[Place, ...] = (
    missing, in_a_missing_directory, unreadable, in_a_closed_directory, empty, directory, pipe, not_in_utf_8,
    with_a_line_break_and_markup, circular, too_long,
)  # fmt: skip
TO_WRITE: tuple[Place, ...] = (
    in_a_missing_directory, in_a_closed_directory, in_a_directory_to_be_read_only, directory, pipe, circular, too_long,
)  # fmt: skip
TO_FILL: tuple[Place, ...] = (
    in_a_closed_directory, in_a_directory_to_be_read_only, empty, pipe, circular, too_long,
)  # fmt: skip
"""Where a directory is written; its parents are made."""
