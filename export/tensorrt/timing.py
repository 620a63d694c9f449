"""What classic TensorRT measured when it last built an engine, kept so that the next build is shorter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgefuse.export.tensorrt.package import Package
from edgefuse.runtime.engines.cache_folder import cache_folder
from edgefuse.runtime.files.whole_file import write_whole

_log = logging.getLogger(__name__)


@contextmanager
def timing_cache(package: Package, config: Any, capability: str | None) -> Iterator[None]:
    """Give `config` what was measured before with this package on this kind of GPU, and keep what the build adds.

    Nothing is done with a package that measures nothing, nor for a user without a home. A damaged cache, or one of
    another driver or GPU, is left out by the package itself, which then measures anew; one that cannot be read or
    written is logged.
    """
    path = timing_cache_path(package, capability)
    if not package.has_timing_cache or path is None:
        yield
        return
    config.set_timing_cache(config.create_timing_cache(_read(path)), False)
    yield
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, bytes(config.get_timing_cache().serialize()))
    except OSError as error:
        _log.warning("what TensorRT measured is not kept: %s", error)


def timing_cache_path(package: Package, capability: str | None) -> Path | None:
    """In the user's cache directory, one per package, version and kind of GPU; None for a user who has none."""
    folder = cache_folder()
    name = f"{package.target}-{package.version}-{capability or 'any'}.timing"
    return None if folder is None else folder / "tensorrt" / name


def _read(path: Path) -> bytes:
    """Empty if there is nothing, or nothing that can be read."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        _log.warning("what TensorRT measured before is not used: %s", error)
        return b""
