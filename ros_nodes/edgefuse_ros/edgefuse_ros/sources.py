"""Where a perceiver node's samples come from, as its lifecycle sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from diagnostic_msgs.msg import DiagnosticStatus

from edgefuse.runtime import Sample
from edgefuse_ros.diagnosis import Diagnosis


class Sources(ABC):
    """Made when the node is configured, and checked then; opened when it is activated, closed when deactivated."""

    @abstractmethod
    def open(self, push: Callable[[Sample], None]) -> None:
        """Begin to push samples."""

    @abstractmethod
    def close(self) -> None:
        """Cease; may be called again, and `open` after it."""

    @abstractmethod
    def described(self) -> list[str]:
        """Where each sense comes from, in words, while it is open."""

    @abstractmethod
    def statuses(self, diagnosis: Diagnosis) -> Iterable[DiagnosticStatus]:
        """What /diagnostics says of them."""
