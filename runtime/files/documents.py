"""JSON and YAML from outside: regular files of a sane size, that say each thing once."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from edgefuse.runtime.errors import FileError
from edgefuse.runtime.files.limits import DOCUMENT_BYTES, DOCUMENT_VALUES, Limit


def read_bytes(path: Path, limit: Limit = DOCUMENT_BYTES) -> bytes:
    """All of a regular file; FileError where there is none, or it is larger than `limit` or cannot be read."""
    try:
        _refuse_larger(path, _regular_size(path), limit)
        with path.open("rb") as file:
            content = file.read(limit.value + 1)  # it may have grown
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    _refuse_larger(path, len(content), limit)
    return content


def read_lines(path: Path, limit: Limit = DOCUMENT_BYTES) -> Iterator[str]:
    """The lines of a regular UTF-8 file, one by one, each of `limit` bytes at most; FileError as of `read_text`."""
    try:
        _regular_size(path)
        with path.open("rb") as file:
            while line := file.readline(limit.value + 1):
                _refuse_larger(path, len(line), limit)
                yield _text(path, line)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _regular_size(path: Path) -> int:
    """Its bytes; FileError for a directory, a device, a pipe."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{path} is no file" if stat.S_ISDIR(status.st_mode) else f"{path} is no regular file")
    return status.st_size


def _refuse_larger(path: Path, size: int, limit: Limit) -> None:
    if (refusal := limit.refusal(size)) is not None:
        raise FileError(f"{path} holds {refusal}")


def read_text(path: Path, limit: Limit = DOCUMENT_BYTES) -> str:
    """All of a regular UTF-8 file; FileError as of `read_bytes`."""
    return _text(path, read_bytes(path, limit))


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path} is no text in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
        ) from error


def read_json(path: Path) -> Any:
    """What a JSON file holds; FileError as of `read_text`, and where a key stands twice or it is no JSON."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str) -> Any:
    """What a JSON text holds; FileError names `where`, also for a key that stands twice, and for NaN and Infinity."""
    _refuse_many(text, where)
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
        raise FileError(f"{where} is no JSON that can be used: {_first_line(error)}") from error


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; FileError as of `read_text`, and for no YAML, aliases, and a key that stands twice."""
    try:
        return yaml.load(read_text(path), _PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileError(f"{path} is no YAML that can be used: {_first_line(error)}") from error


def _refuse_many(text: str, where: str) -> None:
    """Of a few bytes each, values take many times that in memory."""
    if (refusal := DOCUMENT_VALUES.refusal(sum(map(text.count, ",[{")))) is not None:
        raise FileError(f"{where} holds {refusal}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice")
    return content


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, by which a few lines stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.YAMLError(f"aliases (*{event.anchor}, line {event.start_mark.line + 1}) are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        content: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(content) < len(node.value):
            raise yaml.YAMLError(f"a key stands twice in what begins in line {node.start_mark.line + 1}")
        return content


def _first_line(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is not None and mark is not None:
        return f"{problem} (line {mark.line + 1})"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
