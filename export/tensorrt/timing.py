"""What classic TensorRT measured when it last built an engine, kept so that the next build is shorter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgefuse.export.tensorrt.package import Package
from edgefuse.runtime.files.cache_folder import cache_folder
from edgefuse.runtime.files.sealed_cache import SealedCache

_FILE = "timing.bin"
_log = logging.getLogger(__name__)


@contextmanager
def timing_cache(package: Package, config: Any, capability: str | None) -> Iterator[None]:
    """Give `config` what was measured before with this package on this kind of GPU, and keep what the build adds.

    Nothing is done with a package that measures nothing, nor for a user without a home. A damaged cache, or one of
    another driver or GPU, is left out by the package itself, which then measures anew; one that cannot be written is
    logged.
    """
    folder = cache_folder()
    if not package.has_timing_cache or folder is None:
        yield
        return
    cache, key = SealedCache(folder / "timing"), f"{package.target}-{package.version}-{capability or 'any'}"
    kept = cache.load(key, lambda entry: (entry / _FILE).read_bytes())
    config.set_timing_cache(config.create_timing_cache(kept or b""), False)
    yield
    measured = bytes(config.get_timing_cache().serialize())
    try:
        cache.drop(key)
        cache.save(key, lambda entry: _write(entry, measured))
    except OSError as error:
        _log.warning("what TensorRT measured is not kept: %s", error.strerror)


def _write(entry: Path, measured: bytes) -> None:
    (entry / _FILE).write_bytes(measured)
