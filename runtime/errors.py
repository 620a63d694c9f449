"""The errors of edgefuse. Each message says what was wrong, what was expected and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from pydantic import ValidationError

RefusalReason: TypeAlias = Literal["malformed", "not_finite", "out_of_range", "out_of_order", "future"]

_VALUES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|[-+]?\d[\d.,]*(e[-+]?\d+)?|\bnan\b|\binf\b")


class EdgefuseError(Exception):
    """The root of all: a command shows its message in one line and exits with 2."""


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
    where = ".".join(ascii(part).strip("'")[:60] for part in first["loc"]) or "content"
    got = "" if first["type"] in ("missing", "value_error", "json_invalid") else f", got {repr(first['input'])[:60]}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{got}{more}"
