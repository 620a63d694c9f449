"""The bundle's directory: filled beside its name and renamed, so that a bundle is whole or not there."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgefuse.export.errors import ExportError
from edgefuse.runtime.bundle.manifest import MANIFEST_FILE


@contextmanager
def bundle_written_beside(target: Path) -> Iterator[Path]:
    """An empty directory beside `target`, which takes its name when the block ends well and is removed when not.

    An existing bundle keeps the name until then. A process that is killed leaves at most `.<name>.making`, which the
    next export removes, and `.<name>.former` if it was killed between the two renames, which the next export puts back.
    Raises ExportError where `target` is something other than a bundle, or where another export is writing it.
    """
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    making, former = (target.with_name(f".{target.name}.{word}") for word in ("making", "former"))
    _refuse_foreign(target)
    with _held(making, target):
        _settle_former(target, former)
        try:
            _empty(making)
            yield making
            _refuse_foreign(target)
            _exchange(making, target, former)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise


def _refuse_foreign(target: Path) -> None:
    if target.is_symlink():
        raise ExportError(f"{target} is a link; name the directory that it points to")
    if target.exists() and not target.is_dir():
        raise ExportError(f"{target} is a file; a bundle is a directory: give another name")
    if target.is_dir() and not (target / MANIFEST_FILE).is_file() and any(target.iterdir()):
        raise ExportError(f"{target} holds files and is not a bundle: it is not overwritten; give another name")


@contextmanager
def _held(directory: Path, target: Path) -> Iterator[None]:
    """`directory`, made if need be and held by this process alone; the system lets go when the process ends."""
    directory.mkdir(exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _locked(descriptor, directory):
            raise ExportError(f"another export is writing {target}; wait for it, or give another name")
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, directory: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), directory.stat())
    except (BlockingIOError, FileNotFoundError):  # held by another, or renamed by its holder since it was opened
        return False


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _settle_former(target: Path, former: Path) -> None:
    """Finish what an export left that was killed between its two renames."""
    if former.exists() and target.exists():
        shutil.rmtree(former)
    elif former.exists():
        former.rename(target)


def _exchange(making: Path, target: Path, former: Path) -> None:
    if not target.exists():
        making.rename(target)
        return
    target.rename(former)
    try:
        making.rename(target)
    except BaseException:
        former.rename(target)
        raise
    shutil.rmtree(former)
