"""Graphs as an engine optimised them for this machine, kept on disk so that they are loaded in less time."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgefuse.runtime.engines.cache_folder import bytes_of, cache_folder, entries_of, mark_used, prune
from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.errors import FileError
from edgefuse.runtime.files.documents import read_json
from edgefuse.runtime.files.whole_file import UNFINISHED

Loaded = TypeVar("Loaded")

_SEAL = "sizes.json"
_GROWTH = 3  # an entry takes up to twice the graph's size, for weights are kept both plain and packed
_log = logging.getLogger(__name__)
_complained: set[Path] = set()


class GraphCache:
    """A directory with one entry per graph, engine, CPU and options; safe with several processes.

    An entry is a directory of files. It appears whole, by a rename, and is used if its files have the sizes that they
    were sealed with. Those used last are kept (see `prune`): some networks of BERT's size, or every bundle that a robot
    tries in months. Making an entry takes, once, up to four times as long as loading the plain graph. Whatever is wrong
    with the cache is logged once, and the plain graph is loaded.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def open(
        self,
        key: str,
        path: Path,
        *,
        plain: Callable[[], Loaded],
        save: Callable[[Path], None],
        load: Callable[[Path], Loaded],
    ) -> Loaded:
        """What `load` makes of the files that `save` has once put into the entry of that key.

        What `plain` makes of the graph at `path` where the cache cannot be used; raises what that raises.
        """
        entry = self.directory / key
        try:
            loaded = _open_entry(entry, load) or self._write_entry(entry, path, save, load)
        except Exception as error:  # what engines raise shares no base class
            loaded = plain()
            _complain(self.directory, first_line(error))
        return loaded or plain()

    def size(self) -> tuple[int, int]:
        """Entries and bytes."""
        entries = entries_of(self.directory)
        return len(entries), sum(bytes_of(entry) for entry in entries)

    def _write_entry(
        self, entry: Path, path: Path, save: Callable[[Path], None], load: Callable[[Path], Loaded]
    ) -> Loaded | None:
        """Make the entry and open it; None where there is no room for it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.directory).free < _GROWTH * path.stat().st_size:
            _complain(self.directory, "the disk is nearly full")
            return None
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.directory))
        try:
            save(unfinished)
            _seal(unfinished)
            _rename(unfinished, entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        prune(entry)
        _log.info("%s, optimised for this machine, is kept in %s", path, entry)
        return _open_entry(entry, load)


def default_directory() -> Path | None:
    """Where graphs are cached; None for a user who has no home."""
    folder = cache_folder()
    return None if folder is None else folder / "graphs"


def _open_entry(entry: Path, load: Callable[[Path], Loaded]) -> Loaded | None:
    """What is made of an entry; None if it is not there, incomplete, or removed by another process just now."""
    if not _whole(entry):
        return None
    try:
        loaded = load(entry)
    except Exception as error:  # what engines raise shares no base class
        _log.info("%s is made anew: %s", entry, error)
        shutil.rmtree(entry, ignore_errors=True)
        return None
    mark_used(entry)
    _log.debug("a graph was loaded as it is kept in %s", entry)
    return loaded


def _seal(directory: Path) -> None:
    """Note its files' sizes, and bring all to the disk before it is named."""
    sizes = {file.name: file.stat().st_size for file in directory.iterdir()}
    (directory / _SEAL).write_text(json.dumps(sizes))
    for file in directory.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())


def _rename(unfinished: Path, entry: Path) -> None:
    try:
        unfinished.rename(entry)
    except OSError:  # another process was first, or a damaged entry is in the way
        if not _whole(entry):
            shutil.rmtree(entry)
            unfinished.rename(entry)


def _whole(entry: Path) -> bool:
    try:
        sizes = read_json(entry / _SEAL)
        return bool(sizes) and all((entry / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, TypeError, AttributeError, FileError):
        return False


def _complain(directory: Path, reason: str) -> None:
    """Once in a process."""
    if directory not in _complained:
        _complained.add(directory)
        _log.warning("graphs are loaded more slowly, since %s cannot be used as their cache: %s", directory, reason)
