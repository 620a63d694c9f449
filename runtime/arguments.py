"""What a caller gives: of the right kind, finite and within bounds, or refused by its name, in one line."""

from __future__ import annotations

import numbers
import operator
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgefuse.runtime.errors import EdgefuseError

_LONGEST_NAME = 255  # bytes, in every file system
_SHOWN = 60  # characters of a value that a message repeats


def check_kind(name: str, value: Any, *kinds: type | None) -> None:
    """Raises EdgefuseError unless it is of one of these classes, or None where None is among them; bool is no int."""
    classes = tuple(kind for kind in kinds if kind is not None)
    if value is None and None in kinds:
        return
    if not isinstance(value, classes) or (isinstance(value, bool) and bool not in classes):
        expected = " or ".join("None" if kind is None else f"a {kind.__name__}" for kind in kinds)
        raise EdgefuseError(f"{name} should be {expected}, but is {shown(value)}")


def number_in(name: str, value: Any, low: float, high: float, unit: str = "") -> float:
    """The number; raises EdgefuseError for another thing, NaN, and what is not within these bounds, both included."""
    if not _is_a(numbers.Real, value) or not low <= value <= high:
        unit = f" {unit}" if unit else ""
        raise EdgefuseError(f"{name} should be {low:g} to {high:g}{unit}, but is {shown(value)}")
    return float(value)


def whole_in(name: str, value: Any, low: int, high: int) -> int:
    """The whole number, of NumPy or Python; raises EdgefuseError as `number_in`, and for a number with a point."""
    if not _is_a(numbers.Integral, value) or not low <= value <= high:
        raise EdgefuseError(f"{name} should be a whole number from {low} to {high}, but is {shown(value)}")
    return operator.index(value)


def _is_a(kind: type, value: Any) -> bool:
    """Whether it is a number of that kind, of NumPy or Python; bool is none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def is_one_of(value: Any, choices: Collection[str]) -> bool:
    """Whether it is one of these texts, whatever it is."""
    return isinstance(value, str) and value in choices


def path_of(name: str, value: Any) -> Path:
    """The path; raises EdgefuseError for what names no file."""
    check_kind(name, value, str, os.PathLike)
    path = Path(value)
    if "\0" in str(path) or not str(value) or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise EdgefuseError(f"{name} should name a file, but is {shown(value)}")
    return path


def texts_in(name: str, value: Any) -> list[str]:
    """The texts of a list or the like; raises EdgefuseError for one text, since its letters would be taken."""
    try:
        texts = None if isinstance(value, (str, bytes)) or not isinstance(value, Collection) else list(value)
    except TypeError:  # an array of no dimension
        texts = None
    if texts is None:
        raise EdgefuseError(f"{name} should be a list of texts, but is {shown(value)}")
    for text in texts:
        check_kind(f"each of {name}", text, str)
    return texts


def shown(value: Any) -> str:
    """The value in a message: its beginning, and of what is long or an array only what it is."""
    if value is None or isinstance(value, (bool, int, float, str)):
        try:
            text = repr(value)
        except ValueError:
            text = "an integer of thousands of digits"
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"a {type(value).__name__}"
