"""Percepts as JSON lines."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edgefuse.runtime.arguments import path_of
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.files.whole_file import check_writable
from edgefuse.runtime.percept import Percept


class JsonLines:
    """One JSON object per percept and line, in ASCII, each line flushed; `-` is the standard output.

    A file, an older one replaced, or a device or pipe that is read. A file that no percept came into is removed again.
    Raises EdgefuseError, in `write` and `close` as well, where it cannot be written, and BrokenPipeError where nobody
    reads the pipe any more.
    """

    def __init__(self, target: str | Path) -> None:
        target = str(path_of("target", target))
        self._name = "the standard output" if target == "-" else target
        self._empty = True
        with self._writing():
            self._file = _standard_output() if target == "-" else _open(Path(target))

    def write(self, percept: Percept) -> None:
        """See Sink."""
        with self._writing():
            self._file.write(json.dumps(percept.as_json()) + "\n")
            self._file.flush()
            self._empty = False

    def close(self) -> None:
        """See Sink."""
        if self._file is sys.stdout or self._file.closed:
            return
        try:
            with self._writing():
                self._file.close()
        finally:
            if self._empty and Path(self._name).is_file():
                Path(self._name).unlink()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise EdgefuseError(f"{self._name} cannot be written: {error.strerror}") from error


def check_target(target: str) -> None:
    """Raises EdgefuseError where JsonLines could not write there; leaves everything as it is."""
    if target == "-":
        _standard_output()
    elif not _is_pipe(Path(target)):
        check_writable(Path(target))


def _standard_output() -> TextIO:
    if sys.stdout is None:
        raise EdgefuseError("the standard output cannot be written: it is closed")
    return sys.stdout


def _is_pipe(path: Path) -> bool:
    """Or a device."""
    try:
        return not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode)
    except OSError:
        return False


def _open(path: Path) -> TextIO:
    if not _is_pipe(path):
        check_writable(path)
        return path.open("w", encoding="utf-8")
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # a pipe that nobody reads would be waited for
    os.set_blocking(descriptor, True)
    return open(descriptor, "w", encoding="utf-8")
