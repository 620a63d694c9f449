"""What happens to processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """A process has ended."""

    action: Any
    process_name: str
    returncode: int


class ShutdownProcess:
    """A process is to end, for good."""

    def __init__(self, *, process_matcher: Callable[[Any], bool]) -> None:
        self.process_matcher = process_matcher
