"""The errors of edgefuse. Each message says what was wrong, what was expected and what to do, in one line.

And how any other exception, and any text from outside, is put into such a line: without passwords.
"""

from __future__ import annotations

import os
import re
import traceback
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from pydantic import ValidationError

_HERE: Final = Path(__file__).parent.parent  # the folder of the rooms, installed or not
_LONGEST_SAID: Final = 300  # characters; some libraries say pages

RefusalReason: TypeAlias = Literal["malformed", "not_finite", "out_of_range", "out_of_order", "future"]

_URL: Final = re.compile(r"\b([a-z][a-z0-9+.-]+:/+)(\S*)", re.IGNORECASE)  # a path that was a URL has one slash left
_HOST: Final = re.compile(r"(\[[^\]@]*\]|[^][:@]*)(:\d*)?[^\w@]*")  # and port, and what ends a sentence
_PROPERTY: Final = re.compile(
    r"\b((?:user|proxy)-(?:id|pw)|password|passwd|passphrase)(\s*=\s*)(\"[^\"]*\"|'[^']*'|\S+)", re.IGNORECASE
)  # of a GStreamer pipeline
_HIDDEN: Final = "***"

_VALUES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|[-+]?\d[\d.,]*(e[-+]?\d+)?|\bnan\b|\binf\b")


class EdgefuseError(Exception):
    """The root of all: a command shows its message in one line and exits with 2. No message holds credentials."""

    def __init__(self, message: object = "") -> None:
        super().__init__(without_credentials(str(message)))


class FileError(EdgefuseError):
    """A file that is missing, too large, no regular file, cannot be read, or does not hold what it should."""


class BundleError(EdgefuseError):
    """A bundle that is missing, altered, of an unknown schema, or at odds with its own graphs."""


class EngineError(EdgefuseError):
    """A graph that could not be loaded or run by the chosen backend."""


class SampleError(EdgefuseError):
    """One sample that cannot be used. The perceiver counts it under its reason and skips it."""

    def __init__(self, message: str, reason: RefusalReason = "malformed") -> None:
        super().__init__(message)
        self.reason = reason


class StreamError(EdgefuseError):
    """A source of samples that cannot be opened or has broken off."""


class EndOfFileError(EdgefuseError):
    """There is no more in a file, which is no fault. Python's own EOFError may be one, of a library."""


class BrokenFileError(StreamError):
    """A file that is missing, cut off, or not what it should be: opening it again would not help."""


class PromptError(EdgefuseError):
    """A prompt that names nothing or would be cut, or two that the network cannot tell apart."""


class CalibrationError(EdgefuseError):
    """A measurement whose evidence is too thin, or a calibration file that is damaged or of something else."""


def kind_of(message: object) -> str:
    """What messages have in common that differ only in their numbers and in what they quote."""
    return _VALUES.sub("", str(message))


def first_fault(error: ValidationError) -> str:
    """The first thing that a model refused: its field, why, what it was given, and how many more there are."""
    first = error.errors()[0]
    where = ".".join(repr(part).strip("'")[:60] for part in first["loc"]) or "content"
    is_said = first["type"] in ("missing", "value_error", "json_invalid")
    got = "" if is_said else f", got {without_credentials(repr(first['input']))[:60]}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{got}{more}"


def in_one_line(error: BaseException) -> str:
    """What a user is told of any exception: one line that can be printed anywhere.

    One of edgefuse says it in its own words. Of another that names a file, the file and why; of what nobody expected,
    its kind and where in edgefuse it came up as well.
    """
    return printable(without_credentials(_said(error)))


def without_credentials(text: str) -> str:
    """The text without the user, the password and the values of the query of every URL in it.

    Nor what properties of a GStreamer pipeline hold of them. A password with a / or ? in it, which makes its URL
    one of nothing, is found too.
    """
    return _PROPERTY.sub(rf"\1\2{_HIDDEN}", _URL.sub(lambda found: found[1] + _bare(found[2]), text))


def address_shown(address: str) -> str:
    """What a camera's address is called, wherever it is shown or written: all of it but the credentials."""
    url = "://" in address and " ! " not in address
    return without_credentials("%20".join(address.split()) if url else address)  # no more of it is beyond a space


def printable(text: str) -> str:
    """The text with every control character, line break and byte that is no UTF-8 in it written out as in Python."""
    if text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else char.encode("unicode_escape").decode() for char in text)


def is_utf_8(text: str) -> bool:
    """Whether it came whole from bytes in UTF-8: a name on the disk need not have, and libraries in C crash on it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _said(error: BaseException) -> str:
    if type(error).__module__.startswith("edgefuse"):
        return str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{_name_of(error.filename)}: {error.strerror}"
    where = _where(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{where}"
    if isinstance(error, MemoryError):
        return f"there is not enough memory for this{where}"
    if isinstance(error, RecursionError):
        return f"something here is nested too deeply{where}"
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    said = first_fault(cast("ValidationError", error)) if kind.endswith(".ValidationError") else str(error)
    words = " ".join(without_credentials(said).split())[:_LONGEST_SAID]
    return f"unexpected {kind}: {words or 'no more is known'}{where}"


def _bare(url: str) -> str:
    """What of a URL may be said, without its scheme."""
    place, mark, query = re.fullmatch(r"([^?#]*)([?#]?)(.*)", url, re.DOTALL).groups()  # type: ignore[union-attr]
    if not _HOST.fullmatch(place.partition("/")[0]):
        if "@" in place:
            place = place.rpartition("@")[2]
        else:
            return _bare(query.rpartition("@")[2]) if "@" in query else _HIDDEN
    return place + mark + re.sub(r"[^&;#?]+", lambda part: _value_hidden(part.group()), query)


def _value_hidden(part: str) -> str:
    """Of a part of a query: its name, and what of a sentence goes on behind it."""
    name, equals, value = part.partition("=") if "=" in part else ("", "", part)
    said = value.rstrip("])}'\",.:")
    return name + equals + (_HIDDEN if said else "") + value[len(said) :]


def _is_harmless(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _name_of(file: object) -> str:
    return os.fsdecode(file) if isinstance(file, str | bytes | os.PathLike) else str(file)


def _where(error: BaseException) -> str:
    """The innermost line of edgefuse that the exception passed."""
    ours = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith("edgefuse")
    ]
    return f" (at {os.path.relpath(ours[-1][0], _HERE)}:{ours[-1][1]})" if ours else ""
