"""The border of a node: what goes wrong inside is counted and told, and never stops what goes right."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rclpy.impl.rcutils_logger import RcutilsLogger

from edgefuse.runtime import EdgefuseError, SampleError
from edgefuse.runtime.errors import without_credentials
from edgefuse.runtime.senses.drops import Kinds

LOST: Final = "lost"  # the reason under which messages that never came are counted


class Faults:
    """Counts by place and reason; each new kind is logged (see Kinds), all are in /diagnostics. Thread-safe."""

    def __init__(self, logger: RcutilsLogger) -> None:
        self._logger = logger
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, str] = {}
        self._lines: dict[tuple[str, str], str] = {}
        self._kinds: dict[str, Kinds] = {}
        self._lock = threading.Lock()

    @contextmanager
    def border(self, place: str) -> Iterator[None]:
        """Nothing that is raised within gets out; `place` is a sense or a part of the node."""
        try:
            yield
        except SampleError as error:
            self.count(place, error.reason, f"a message was skipped: it {error}")
        except EdgefuseError as error:
            self.count(place, type(error).__name__, str(error))
        except Exception as error:  # the border of the node
            self.count(place, "unexpected", without_credentials(f"{type(error).__name__}: {error}"))

    def count(self, place: str, reason: str, line: str) -> None:
        """One more, logged where it is the first of its kind; `line` says it in words."""
        self.note(place, reason, line)
        with self._lock:
            new = self._kinds.setdefault(place, Kinds()).is_new(f"{reason}: {line}")
        if new:
            self._logger.warning(f"{place}: {line} (more such are only counted)")

    def note(self, place: str, reason: str, line: str, times: int = 1) -> None:
        """So many more, not logged."""
        with self._lock:
            self._counts[place, reason] += times
            self._last[place] = self._lines[place, reason] = line

    def of(self, place: str) -> dict[str, int]:
        """How often, by reason."""
        with self._lock:
            return {reason: count for (where, reason), count in self._counts.items() if where == place}

    def last(self, place: str) -> str | None:
        """The newest, in words."""
        return self._last.get(place)

    def line(self, place: str, reason: str) -> str | None:
        """The newest of one reason, in words."""
        return self._lines.get((place, reason))

    @property
    def places(self) -> list[str]:
        """Wherever something went wrong."""
        with self._lock:
            return sorted({place for place, _ in self._counts})


class RosLogging(logging.Handler):
    """Sends what edgefuse.runtime logs to the node's log, and so to /rosout."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self._logger.warning(without_credentials(record.getMessage()))
