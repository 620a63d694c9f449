"""Generated data on disk, keyed by what made it: the parameters and the source of the generating modules."""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

GENERATORS = (
    "shapes", "surfaces", "scenes", "sensor", "espeak", "speech", "remarks", "slips", "vocabulary", "tabletop", "pools",
)  # fmt: skip


def cache_folder() -> Path:
    """$EDGEFUSE_CACHE, else ~/.cache/edgefuse."""
    return Path(os.environ.get("EDGEFUSE_CACHE") or Path.home() / ".cache" / "edgefuse")


@cache
def generator_digest() -> str:
    """Changes with the code that makes the data, so that no stale data is ever read."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / f"{name}.py").read_bytes() for name in GENERATORS)).hexdigest()


def stored(key: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `key`: read from the cache, or made and written there (beside, then renamed)."""
    digest = hashlib.sha256(f"{generator_digest()} {key}".encode()).hexdigest()[:20]
    path = cache_folder() / f"{key.split(' ')[0]}-{digest}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    arrays = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    np.savez(beside, **arrays)  # type: ignore[arg-type]  # NumPy's stub checks them as `allow_pickle` too
    beside.replace(path)
    return arrays
