"""Entries on disk that can be made again: believed only as this user sealed them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from edgefuse.runtime.errors import FileError
from edgefuse.runtime.files.cache_folder import mark_used, prune
from edgefuse.runtime.files.digest import sha256_of
from edgefuse.runtime.files.documents import read_json
from edgefuse.runtime.files.whole_file import UNFINISHED

Loaded = TypeVar("Loaded")

_SEAL: Final = "seal.json"
_OTHERS_WRITE, _GROUP_OR_OTHERS_WRITE = stat.S_IWOTH, stat.S_IWGRP | stat.S_IWOTH
_log = logging.getLogger(__name__)


class SealedCache:
    """A directory with one entry per key, each a directory of files; safe with several processes.

    An entry appears whole, by a rename. It is believed if it is sealed under its own key, if its files are those that
    were sealed, by their SHA-256, and if it and the directory are this user's own and nobody else may write there. One
    that is not believed is removed. Those used last are kept (see `prune`).
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self, key: str, load: Callable[[Path], Loaded]) -> Loaded | None:
        """What `load` makes of the entry; None where there is none to believe, or `load` raises."""
        entry = self.directory / key
        if not os.path.lexists(entry) or _why_open(self.directory) is not None:
            return None  # why it is open is said by `save`
        wrong = broken_seal(entry)
        if wrong is None:
            try:
                loaded = load(entry)
            except Exception as error:  # what libraries raise shares no base class
                wrong = str(error).splitlines()[0] if str(error) else type(error).__name__
            else:
                mark_used(entry)
                _log.debug("%s is taken from the cache", entry)
                return loaded
        _log.warning("%s is made anew: %s", entry, wrong)
        _remove(entry)
        return None

    def drop(self, key: str) -> None:
        """Forget an entry, where the next is to take its place."""
        _remove(self.directory / key)

    def save(self, key: str, fill: Callable[[Path], None]) -> Path:
        """Make the entry, unless another process was first: `fill` writes its files into the directory it is given.

        Raises OSError, also where others may write to the cache, and what `fill` raises.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (wrong := _why_open(self.directory)) is not None:
            raise PermissionError(0, wrong)
        entry = self.directory / key
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.directory))
        try:
            fill(unfinished)
            seal(unfinished, key)
            _rename(unfinished, entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        prune(entry)
        return entry


def seal(entry: Path, key: str) -> None:
    """Note the entry's key and its files' digests, and bring all to the disk; raises OSError."""
    (entry / _SEAL).unlink(missing_ok=True)
    digests = {}
    for file in entry.iterdir():
        file.chmod(0o600)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        digests[file.name] = sha256_of(file)
    with open(os.open(entry / _SEAL, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        json.dump({"key": key, "sha256": digests}, written)
        written.flush()
        os.fsync(written.fileno())


def broken_seal(entry: Path) -> str | None:
    """Why an entry is not believed; None for one that is whole, unchanged, and this user's own."""
    try:
        files = {file.name: file for file in entry.iterdir()} if not entry.is_symlink() else {}
        for path in (entry, *files.values()):
            if (wrong := _why_not_ours(path, _GROUP_OR_OTHERS_WRITE)) is not None:
                return wrong
        sealed = read_json(files.pop(_SEAL, entry / _SEAL))
        if not isinstance(sealed, dict) or sealed.get("key") != entry.name:
            return "it is sealed as another entry"
        if sealed.get("sha256") != {name: sha256_of(file) for name, file in files.items()}:
            return "its files are not those that were sealed"
    except FileError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None


def _why_open(directory: Path) -> str | None:
    """Why others could have put entries there; None where only this user could."""
    try:
        of_others = [_why_not_ours(path.resolve(), _OTHERS_WRITE) for path in (directory, directory.parent)]
    except OSError as error:
        return f"{directory}: {error.strerror}"
    return next((wrong for wrong in of_others if wrong is not None), None)


def _why_not_ours(path: Path, forbidden: int) -> str | None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"{path} is a link"
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return f"{path} is no regular file"
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user"
    if status.st_mode & forbidden:
        return f"others may write to {path}"
    return None


def _rename(unfinished: Path, entry: Path) -> None:
    try:
        unfinished.rename(entry)
    except OSError:  # another process was first, or what is not believed is in the way
        if broken_seal(entry) is not None:
            _remove(entry)
            unfinished.rename(entry)


def _remove(entry: Path) -> None:
    if entry.is_symlink() or entry.is_file():
        entry.unlink(missing_ok=True)
    else:
        shutil.rmtree(entry, ignore_errors=True)
