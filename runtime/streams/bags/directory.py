"""Which files of a directory are a bag, and in which order."""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import BaseModel, ValidationError

from edgefuse.runtime.errors import FileError, StreamError, first_fault
from edgefuse.runtime.files.documents import read_yaml

METADATA_FILE: Final = "metadata.yaml"
_REMEDY: Final = "try `ros2 bag reindex`, or remove it"
_COMPRESSED: Final = ".zstd"
_PATTERNS: Final = ("*.mcap", "*.db3", f"*.mcap{_COMPRESSED}", f"*.db3{_COMPRESSED}")
_NUMBERED: Final = re.compile(r"(?P<name>.*?)(?:_(?P<number>\d+))?(?P<suffix>(?:\.[a-z0-9]+)+)", re.IGNORECASE)

log = logging.getLogger(__name__)


class _Information(BaseModel):
    """What is read here of what rosbag2 notes of a bag; it has more in each of its versions."""

    relative_file_paths: list[str]


class _Metadata(BaseModel):
    rosbag2_bagfile_information: _Information


def files_in(directory: Path) -> list[Path]:
    """The files of the bag in a directory, in the order of their time.

    It is that of `metadata.yaml`, or of the numbers that rosbag2 gives its files where a recorder that was killed left
    none. Raises StreamError where a file is missing, or where there are several bags.
    """
    metadata = directory / METADATA_FILE
    files = _listed(metadata) if metadata.exists() else _numbered(directory)
    return [_unpacked(file) for file in files]


def _listed(metadata: Path) -> list[Path]:
    try:
        names = _Metadata.model_validate(read_yaml(metadata)).rosbag2_bagfile_information.relative_file_paths
    except ValidationError as error:
        raise StreamError(f"{metadata} is not what rosbag2 writes: {first_fault(error)}; {_REMEDY}") from error
    except FileError as error:
        raise StreamError(f"{error}; {_REMEDY}") from error
    # Older versions wrote the name of the bag's directory before that of the file.
    files = [metadata.parent / PurePosixPath(name).name for name in names]
    for file in files:
        if not _unpacked(file).exists():
            raise StreamError(f"{metadata} names {file.name}, which is not there: name the files that are, one by one")
    if not files:
        raise StreamError(f"{metadata} names no file: nothing was recorded")
    return files


def _numbered(directory: Path) -> list[Path]:
    files = {path for pattern in _PATTERNS for path in directory.glob(pattern)}
    files = {path for path in files if _unpacked(path) == path}
    if not files:
        wanted = " or ".join(_PATTERNS[:2])
        raise StreamError(f"{directory} holds no bag: expected {METADATA_FILE}, or files {wanted}")
    names = sorted(file.name for file in files)
    bags = {(found["name"], found["suffix"]) for name in names if (found := _NUMBERED.fullmatch(name))}
    if len(files) > 1:
        if len(bags) > 1:
            raise StreamError(f"{directory} holds several recordings: {', '.join(names)}; name one of them")
        log.warning("%s has no %s; its files are read in the order of their numbers", directory, METADATA_FILE)
    return sorted(files, key=_number)


def _number(file: Path) -> int:
    found = _NUMBERED.fullmatch(file.name)
    return int(found["number"] or 0) if found else 0


def _unpacked(file: Path) -> Path:
    """What a file that was compressed as a whole was unpacked to, if it was; as rosbag2 does it, beside it."""
    beside = file.with_suffix("") if file.suffix == _COMPRESSED else file
    return beside if beside.exists() else file
