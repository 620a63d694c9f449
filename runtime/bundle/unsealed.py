"""Manifests as they were before they were sealed: read as ever, and said to be less protected."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from edgefuse.runtime.bundle.seal import UNSEALED, sealed

_log = logging.getLogger(__name__)


def is_unsealed(document: Any) -> bool:
    """Whether it is of the form of old, which kept of a file its checksum alone."""
    files = document.get("files") if isinstance(document, dict) and "sha256" not in document else None
    return isinstance(files, dict) and bool(files) and all(isinstance(checksum, str) for checksum in files.values())


def sealed_from(document: dict[str, Any], path: Path) -> str:
    """The manifest at `path`, converted: its files are as long as they are found to be."""
    _log.warning("%s is not sealed, so that nobody knows whether it was altered: export the bundle again", path)
    files = {file: {"bytes": _size(path.parent, file), "sha256": text} for file, text in document["files"].items()}
    return sealed(json.dumps({"sha256": UNSEALED, **document, "files": files}))


def _size(directory: Path, file: str) -> int:
    """0 for one that is not there, as will be said when it is read."""
    try:
        return (directory / file).stat().st_size
    except (OSError, ValueError):
        return 0
