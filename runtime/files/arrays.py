"""NumPy's archives of arrays (npz) from outside: what they declare is looked at before memory is taken for it."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Collection
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Final

import numpy as np
from numpy.lib import format as npy

from edgefuse.runtime.errors import FileError
from edgefuse.runtime.files.limits import ARRAY_BYTES, Limit

_DIRECTORY_BYTES: Final = 2_000_000  # of some twenty thousand arrays
_VERSION = (1, 0)  # later ones are for headers of more than 64 kB
_DAMAGES = (ValueError, EOFError, RuntimeError, MemoryError, SyntaxError, TokenError, zipfile.BadZipFile, zlib.error)
_KINDS = "biufU"  # numbers, truths and texts
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others take memory of their own


def read_arrays(path: Path, wanted: Collection[str] | None = None, limit: Limit = ARRAY_BYTES) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name: all, or those `wanted` that it has, of `limit` bytes together at most.

    Raises FileError in one line where there is no such file, and for what is damaged, an object, or larger.
    """
    try:
        with _Piecemeal(path) as file, zipfile.ZipFile(file) as archive:
            members = _members(archive, wanted)
            sizes = [_declared(archive, member) for member in members.values()]
            if (refusal := limit.refusal(sum(sizes))) is not None:
                raise FileError(f"{path} declares {refusal}")
            return {name: _read(archive, member) for name, member in members.items()}
    except FileError:
        raise
    except _DAMAGES as error:
        why = (str(error) or type(error).__name__).splitlines()[0]  # RuntimeError: also recursion, and encryption
        raise FileError(f"{path} is no archive of arrays that can be used: {why}") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


class _Piecemeal(io.FileIO):
    """A regular file that gives no more at once than a sane archive's directory takes, which zipfile reads whole."""

    def __init__(self, path: Path) -> None:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileError(f"{path} is no regular file")
        super().__init__(path)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > _DIRECTORY_BYTES:
            raise ValueError(f"{size:,} bytes of it are to be read at once")
        return super().read(size) or b""


def _members(archive: zipfile.ZipFile, wanted: Collection[str] | None) -> dict[str, zipfile.ZipInfo]:
    members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise ValueError("it has two arrays of one name")
    return {name: member for name, member in members.items() if wanted is None or name in wanted}


def _declared(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """How many bytes an array takes, as its own header says."""
    if member.compress_type not in _PACKED:
        raise ValueError(f"{member.filename!r} is packed in a way that NumPy does not use")
    with archive.open(member) as content:
        shape, dtype = _header(content)
        if dtype.kind not in _KINDS:
            raise ValueError(f"{member.filename!r} holds {dtype}, no numbers")
        size = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size != member.file_size - content.tell():
            raise ValueError(f"{member.filename!r} does not hold as much as its header says")
    return size


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    if npy.read_magic(content) != _VERSION:
        raise ValueError("it is of another version of NumPy's format")
    shape, _, dtype = npy.read_array_header_1_0(content)
    return shape, dtype


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """All of it, by which its checksum is compared."""
    with archive.open(member) as content:
        array: np.ndarray = npy.read_array(content, allow_pickle=False)
        return array
