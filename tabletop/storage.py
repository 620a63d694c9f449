"""Generated data on disk, keyed by what made it: the parameters and the source of the generating modules."""

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgefuse.runtime.engines.cache_folder import cache_folder
from edgefuse.runtime.files.whole_file import write_beside

GENERATORS = {
    "tabletop": ("shapes", "surfaces", "scenes", "espeak", "speech", "remarks", "vocabulary", "samples", "pools"),
    "fusion": ("sensor", "slips"),
}
"""Modules by room."""


@cache
def generator_digest() -> str:
    """Changes with the code that makes the data, so that no stale data is ever read."""
    modules = [f"edgefuse.{room}.{name}" for room, names in GENERATORS.items() for name in names]
    places = [spec.origin for name in modules if (spec := find_spec(name)) is not None and spec.origin is not None]
    return hashlib.sha256(b"".join(Path(place).read_bytes() for place in places)).hexdigest()


def load_or_make(key: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `key`: read from the user's cache, or made and written there, whole."""
    folder = cache_folder()
    if folder is None:
        return make()
    digest = hashlib.sha256(f"{generator_digest()} {key}".encode()).hexdigest()[:20]
    path = folder / f"{key.split(' ')[0]}-{digest}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    arrays = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_beside(path) as beside:
        np.savez(beside, **arrays)  # type: ignore[arg-type]  # NumPy's stub checks them as `allow_pickle` too
    return arrays
