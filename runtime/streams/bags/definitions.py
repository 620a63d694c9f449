"""What a bag says that its messages hold, and how much memory one of them may take when it is decoded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.files.limits import RECORD_BYTES, SERIES_BYTES, Limit
from edgefuse.runtime.messages.ros_types import KNOWN_DEFINITIONS

_MOST_PARTS: Final = 256
"""Messages within a message; those that are read here have at most six. Each is an object in memory."""

_SIMPLE: Final = frozenset({
    "bool", "byte", "char", "float32", "float64", "string", "wstring", "int8", "int16", "int32", "int64", "uint8",
    "uint16", "uint32", "uint64",
})  # fmt: skip
_SEPARATOR: Final = re.compile(r"^={3,}$", re.MULTILINE)
_NAME: Final = re.compile(r"^MSG:\s+(\S+)$", re.MULTILINE)
_LISTED: Final = "std_msgs/MultiArrayDimension"
"""The one message of which those that are read here have a list."""


def check_definition(definition: str, type_name: str) -> Limit:
    """The most that a message of this definition may have, for it costs far more memory where it is of many parts.

    Raises StreamError for a message of messages without end, or of so many that they take the memory.
    """
    fields = _fields_by_part(definition)
    _count("", fields, type_name, 0)
    known = _fields_by_part(KNOWN_DEFINITIONS.get(type_name, ""))
    as_known = all(fields.get(part, those) == those for part, those in known.items())
    return RECORD_BYTES if as_known and type_name.startswith("sensor_msgs/") else SERIES_BYTES


def _fields_by_part(definition: str) -> dict[str, list[str]]:
    """The types of the fields of the message itself (`""`) and of each `package/Name` in it; with some constants."""
    first, *others = _SEPARATOR.split(definition)
    parts = {"": first}
    for part in others:
        named = _NAME.search(part)
        if named:
            names = named[1].split("/")
            parts[f"{names[0]}/{names[-1]}"] = _NAME.sub("", part)
    lines = {name: [line.split("#")[0].split() for line in part.splitlines()] for name, part in parts.items()}
    return {name: [words[0] for words in those if words] for name, those in lines.items()}


def _count(part: str, fields: Mapping[str, list[str]], whole: str, so_far: int) -> int:
    """How many messages are within the message, with `so_far` before this one."""
    if so_far >= _MOST_PARTS:
        raise StreamError(f"a {whole} is of more than {_MOST_PARTS} messages")
    so_far += 1
    for field in fields.get(part, ()):
        kind, listed, _ = field.partition("[")
        if kind.partition("<")[0] in _SIMPLE:
            continue
        inner = kind if "/" in kind else f"{(part or whole).split('/')[0]}/{kind}"
        if listed and inner != _LISTED:
            raise StreamError(f"a {whole} has a list of {kind}, which none has that is read here")
        so_far = _count(inner, fields, whole, so_far)
    return so_far
