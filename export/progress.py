"""How far an export is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total): "trace" 1 of 4. Each stage counts for itself and ends with done == total."""


def unseen(stage: str, done: int, total: int) -> None:
    """The progress that nobody watches."""
