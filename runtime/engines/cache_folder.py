"""Where this user's programs keep what they can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """edgefuse's own, by the XDG base directory specification; None for a user who has no home."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        home = chosen if chosen.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return home / "edgefuse"
