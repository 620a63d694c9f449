"""By turns: whatever slows the machine for a while then slows all that is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def take_turns(turns: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """So many rounds, in each of which each has its turn: A B, B A, and so on; what each gave in each round."""
    given: dict[str, list[T]] = {name: [] for name in turns}
    order = list(turns)
    for _ in range(rounds):
        for name in order:
            given[name].append(turns[name]())
        order.reverse()
    return given
