"""Graphs as an engine optimised them for this machine, kept on disk so that they are loaded in less time."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.files.cache_folder import bytes_of, cache_folder, entries_of
from edgefuse.runtime.files.sealed_cache import SealedCache

Loaded = TypeVar("Loaded")

_GROWTH = 3  # an entry takes up to twice the graph's size, for weights are kept both plain and packed
_log = logging.getLogger(__name__)
_complained: set[Path] = set()


class GraphCache:
    """A sealed cache with one entry per graph, engine, CPU and options.

    Making an entry takes, once, up to four times as long as loading the plain graph. Whatever is wrong with the cache
    is logged once, and the plain graph is loaded.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._sealed = SealedCache(directory)

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
        try:
            loaded = self._sealed.load(key, load) or self._make(key, path, save, load)
        except Exception as error:  # what engines raise shares no base class
            loaded = plain()
            _complain(self.directory, _reason(error))
        return loaded or plain()

    def size(self) -> tuple[int, int]:
        """Entries and bytes."""
        entries = entries_of(self.directory)
        return len(entries), sum(bytes_of(entry) for entry in entries)

    def _make(
        self, key: str, path: Path, save: Callable[[Path], None], load: Callable[[Path], Loaded]
    ) -> Loaded | None:
        """Make the entry and open it; None where there is no room for it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.directory).free < _GROWTH * path.stat().st_size:
            _complain(self.directory, "the disk is nearly full")
            return None
        _log.info("%s, optimised for this machine, is kept in %s", path, self._sealed.save(key, save))
        return self._sealed.load(key, load)


def default_directory() -> Path | None:
    """Where graphs are cached; None for a user who has no home."""
    folder = cache_folder()
    return None if folder is None else folder / "graphs"


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)


def _complain(directory: Path, reason: str) -> None:
    """Once in a process."""
    if directory not in _complained:
        _complained.add(directory)
        _log.warning("graphs are loaded more slowly, since %s cannot be used as their cache: %s", directory, reason)
