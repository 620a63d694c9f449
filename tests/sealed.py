"""Manifests that a test changed and sealed again, so that what is refused is the change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.bundle.manifest import MANIFEST_FILE
from edgefuse.runtime.bundle.seal import UNSEALED, sealed


def edit(directory: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the manifest of a bundle, and describe the files that are there before that."""
    manifest = json.loads((directory / MANIFEST_FILE).read_text())
    manifest["files"] = files_of(directory)
    change(manifest)
    return seal(directory, manifest)


def seal(directory: Path, manifest: Any) -> Path:
    """Write the manifest, whatever it says, with its own checksum."""
    text = json.dumps({"sha256": UNSEALED} | manifest | {"sha256": UNSEALED})
    (directory / MANIFEST_FILE).write_text(sealed(text))
    return directory


def files_of(directory: Path) -> dict[str, Any]:
    """As the manifest describes the files that are there."""
    files = [path for path in directory.iterdir() if path.name != MANIFEST_FILE]
    return {path.name: described(path).model_dump() for path in files if path.is_file()}
