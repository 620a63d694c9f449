"""Files of engines: written whole or not at all, found by what they were built from."""

from __future__ import annotations

from pathlib import Path

from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.bundle.manifest import EngineSpec, FileSpec, read_manifest
from edgefuse.runtime.errors import BundleError
from edgefuse.runtime.files.whole_file import write_whole

ENGINE_FOLDER = "engines"


def engine_file(graph: str, spec: EngineSpec) -> str:
    """Where an engine lies in its bundle; its key is part of the name, so that no two are mistaken for each other."""
    return f"{ENGINE_FOLDER}/{graph}-{spec.key}.engine"


def write_engine(path: Path, data: bytes) -> None:
    """Whole, and its folder where there is none yet; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def former_engine(bundle: Path, key: str) -> EngineSpec | None:
    """The engine of that key in the bundle at `bundle`, its checksum right; None if it has none, or is no bundle."""
    try:
        manifest = read_manifest(bundle)
    except BundleError:
        return None
    engines = (engine for graph in manifest.graphs.values() for engine in graph.engines if engine.key == key)
    return next((engine for engine in engines if _is_whole(bundle / engine.file, manifest.files[engine.file])), None)


def _is_whole(path: Path, spec: FileSpec) -> bool:
    return path.is_file() and described(path) == spec
