"""What a graph is fed with while it is measured: arrays by the names of its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Feed:
    """arrays: the graph's inputs by name, each (samples, ...); constant: those given whole with every batch."""

    arrays: Mapping[str, np.ndarray]
    constant: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def rows(self, rows: slice) -> dict[str, np.ndarray]:
        """The inputs of some samples, as a graph takes them."""
        return {name: array[rows] for name, array in self.arrays.items()} | dict(self.constant)

    def only(self, inputs: Iterable[str]) -> Feed:
        """What a graph takes that has only these inputs."""
        kept = set(inputs)
        return Feed(
            {name: array for name, array in self.arrays.items() if name in kept},
            {name: array for name, array in self.constant.items() if name in kept},
        )
