"""Percepts as JSON lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgefuse.runtime.arguments import path_of
from edgefuse.runtime.errors import EdgefuseError
from edgefuse.runtime.percept import Percept


class JsonLines:
    """One JSON object per percept and line, each line flushed; `-` is the standard output."""

    def __init__(self, target: str | Path) -> None:
        target = str(path_of("target", target))
        try:
            self._file = sys.stdout if target == "-" else Path(target).open("w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise EdgefuseError(f"{target} cannot be written: {error.strerror}") from error

    def write(self, percept: Percept) -> None:
        """See Sink."""
        self._file.write(json.dumps(percept.as_json(), ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """See Sink."""
        if self._file is not sys.stdout:
            self._file.close()
