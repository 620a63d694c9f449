"""Generated data on disk, keyed by what made it: the parameters and the source of the generating modules."""

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgefuse.runtime.files.cache_folder import cache_folder
from edgefuse.runtime.files.sealed_cache import SealedCache

GENERATORS = {
    "tabletop": ("shapes", "surfaces", "scenes", "espeak", "speech", "remarks", "vocabulary", "samples", "pools"),
    "fusion": ("sensor", "slips"),
}
"""Modules by room."""

_ARRAYS = "arrays.npz"
_log = logging.getLogger(__name__)


@cache
def generator_digest() -> str:
    """Changes with the code that makes the data, so that no stale data is ever read."""
    modules = [f"edgefuse.{room}.{name}" for room, names in GENERATORS.items() for name in names]
    places = [spec.origin for name in modules if (spec := find_spec(name)) is not None and spec.origin is not None]
    return hashlib.sha256(b"".join(Path(place).read_bytes() for place in places)).hexdigest()


def load_or_make(key: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `key`: read from the user's cache, or made and, where that can be, written there."""
    folder = cache_folder()
    if folder is None:
        return make()
    digest = hashlib.sha256(f"{generator_digest()} {key}".encode()).hexdigest()[:20]
    cache, name = SealedCache(folder / "tabletop"), f"{key.split(' ')[0]}-{digest}"
    arrays = cache.load(name, _read)
    if arrays is None:
        arrays = make()
        try:
            cache.save(name, lambda entry: _write(entry, arrays))
        except OSError as error:
            _log.warning(
                "%s are made on every run, since %s cannot keep them: %s", key, cache.directory, error.strerror
            )
    return arrays


def _read(entry: Path) -> dict[str, np.ndarray]:
    with np.load(entry / _ARRAYS, allow_pickle=False) as arrays:
        return dict(arrays)


def _write(entry: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(entry / _ARRAYS, **arrays)  # type: ignore[arg-type]  # NumPy's stub checks them as `allow_pickle` too
