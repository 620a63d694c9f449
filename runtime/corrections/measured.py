"""What every calibration file says of itself, and how such files are read and written: whole, strictly, in one line."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgefuse.runtime.arguments import path_of
from edgefuse.runtime.errors import CalibrationError, FileError, first_fault
from edgefuse.runtime.files.documents import read_json
from edgefuse.runtime.files.whole_file import write_whole

BY: Final = f"edgefuse {version('edgefuse')}"
"""The program and its version, as a calibration file names them."""


class Measurement(BaseModel):
    """A calibration as its file holds it: nothing unknown in it, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Measured(Measurement):
    """When and how a calibration was measured."""

    at: str = Field(description="date and time, ISO 8601", min_length=1)
    by: str = Field(description="the program and its version")
    how: str = Field(description="from what, in words")


M = TypeVar("M", bound=Measurement)


def validate(model: type[M], values: Any, path: Path | str, remedy: str) -> M:
    """The content of a file, or of what `path` names, as its model; raises CalibrationError: where, what, `remedy`."""
    if not isinstance(values, dict):
        raise CalibrationError(f"{path} is no calibration file: it holds no named values; {remedy}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise CalibrationError(f"{path}: {first_fault(error)}; {remedy}") from error


def read_measured(model: type[M], path: Path, remedy: str) -> M:
    """A calibration in a JSON file; raises CalibrationError in one line for one that is missing, damaged or another."""
    try:
        values = read_json(path)
    except FileError as error:
        raise CalibrationError(f"{error}; {remedy}") from error
    return validate(model, values, path, remedy)


def write_text(path: Path, text: str) -> None:
    """Whole or not at all, so that a robot never reads half a file; raises CalibrationError."""
    path = path_of("what is to be written", path)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise CalibrationError(f"{path} cannot be written: {error.strerror}") from error
