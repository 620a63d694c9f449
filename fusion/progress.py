"""How far something is that takes long: what every room tells, and the command line shows."""

from collections.abc import Callable

Progress = Callable[[str, float, float | None], None]
"""Told the stage in words, the steps done, and the steps in all (None: nobody knows). Each stage counts for itself."""


def unseen(stage: str, done: float, total: float | None) -> None:
    """The progress that nobody watches."""
