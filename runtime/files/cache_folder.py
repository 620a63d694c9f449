"""Where this user's programs keep what they can make again, and how much of it."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from edgefuse.runtime.files.whole_file import UNFINISHED

MAX_ENTRIES: Final = 64
MAX_BYTES: Final = 2 << 30

_ABANDONED_S = 3600.0
_log = logging.getLogger(__name__)


def cache_folder() -> Path | None:
    """edgefuse's own, by the XDG base directory specification; None for a user who has no home."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        home = chosen if chosen.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return home / "edgefuse"


def mark_used(entry: Path) -> None:
    """Let it count as used now, for `prune`."""
    try:
        os.utime(entry)
    except OSError:
        _log.debug("%s cannot be marked as used; it may be removed earlier", entry)


def prune(newest: Path) -> None:
    """Keep, of the cache that `newest` is an entry of, that one and the others used last: 64, of no more than 2 GB.

    An entry is a file or a directory of files. What processes that died have left behind is removed as well.
    """
    now_s = newest.stat().st_mtime
    for abandoned in newest.parent.glob(f"{UNFINISHED}*"):
        if now_s - _used_s(abandoned) > _ABANDONED_S:
            _remove(abandoned)
    kept_bytes = 0
    entries = sorted(entries_of(newest.parent), key=lambda entry: (entry != newest, -_used_s(entry)))
    for place, entry in enumerate(entries):
        kept_bytes += bytes_of(entry)
        if entry != newest and (place >= MAX_ENTRIES or kept_bytes > MAX_BYTES):
            _remove(entry)


def entries_of(directory: Path) -> list[Path]:
    """Those of a cache that are whole."""
    return list(directory.glob("[!.]*"))


def bytes_of(entry: Path) -> int:
    """0 for one that another process has just removed."""
    try:
        files = list(entry.iterdir()) if entry.is_dir() else [entry]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0


def _used_s(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # removed by another process
        return 0.0


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        with suppress(OSError):  # removed by another process, or not ours to remove
            entry.unlink()
