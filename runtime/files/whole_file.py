"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgefuse.runtime.errors import FileError

UNFINISHED: Final = ".new-"
"""How the names of files begin that are not whole yet; only a process that was killed leaves one behind."""


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A name beside `path`, of the same ending, for the block to write a file under.

    The file takes the name `path` when the block ends well, so that nobody reads half of it; otherwise nothing is left.
    """
    beside = _beside(path)
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """The file with just this content; raises OSError, and then leaves what was there."""
    with write_beside(path) as beside:
        beside.write_bytes(content)


def check_writable(path: Path) -> None:
    """Raises FileError where no file could be written under this name; leaves everything as it is.

    Called before the work whose result the file is to hold.
    """
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            raise FileError(f"{path} cannot be written: there is no directory {path.parent}")
        _refuse_other_than_file(path)
        with contextlib.suppress(FileNotFoundError):
            path.stat()  # a link may lead to itself
        with contextlib.suppress(FileNotFoundError):
            _beside(path).lstat()  # a name may be too long for it
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    _check_room(path, folder)


def check_directory_writable(path: Path) -> None:
    """Raises FileError where no directory of this name could be made, or none that is there be written into."""
    try:
        there = next(one for one in (path.absolute(), *path.absolute().parents) if os.path.lexists(one))
        if not there.is_dir():
            raise FileError(f"{path} cannot be written: {there} is no directory")
        with contextlib.suppress(FileNotFoundError):
            path.stat()
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    _check_room(path, there)


def _check_room(path: Path, folder: Path) -> None:
    """That something may be written into a directory that is there, and that the disk is not full."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{path} cannot be written: {os.strerror(errno.EACCES)}")
    room = os.statvfs(folder)
    if room.f_blocks and not (room.f_bavail if os.geteuid() else room.f_bfree):
        raise FileError(f"{path} cannot be written: {os.strerror(errno.ENOSPC)}")


def _refuse_other_than_file(path: Path) -> None:
    """A device or a pipe would be replaced by a file."""
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        kind = "is a directory" if path.is_dir() else "is no regular file"
        raise FileError(f"{path} cannot be written: it {kind}")


def _beside(path: Path) -> Path:
    return path.with_name(f"{UNFINISHED}{os.getpid()}-{threading.get_native_id()}-{path.name}")
