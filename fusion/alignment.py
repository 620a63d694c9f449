"""From a large encoder's states to our tokens and the aligned space: what is always learned."""

import torch
from torch import Tensor, nn

from edgefuse.fusion.encoders import Encoded
from edgefuse.fusion.transformer import AttentionPooling, unit


class Alignment(nn.Module):
    """`forward(states)`: float (batch, n, width) -> tokens (batch, groups, dim), the projected means of neighbouring
    states, and the embedding, a projection of what attention pools.

    means: float32 (groups, n), each row of sum 1: which states a token is the mean of.
    """

    means: Tensor

    def __init__(self, width: int, dim: int, means: Tensor) -> None:
        super().__init__()
        self.register_buffer("means", means, persistent=False)
        self.norm = nn.LayerNorm(width)
        self.tokens = nn.Linear(width, dim)
        self.pooling = AttentionPooling(width, queries=2)
        self.embedding = nn.Linear(2 * width, dim)

    def forward(self, states: Tensor) -> Encoded:
        states = self.norm(states)
        pooled, _ = self.pooling(states)
        embedding = unit(self.embedding(pooled.flatten(1)))
        return Encoded(self.tokens(self.means @ states), embedding)


def neighbour_means(states: int, groups: int) -> Tensor:
    """Means over `groups` equal stretches of `states` (as many as states if there are fewer), overlapping by one where
    they do not divide evenly, as adaptive average pooling does: float32 (groups, states), rows of sum 1."""
    groups = min(states, groups)
    means = torch.zeros(groups, states)
    for group in range(groups):
        begin, end = group * states // groups, -(-(group + 1) * states // groups)
        means[group, begin:end] = 1 / (end - begin)
    return means


def grid_means(grid: tuple[int, int], groups: tuple[int, int]) -> Tensor:
    """The same over rows and columns, flattened row by row: (groups, cells)."""
    return torch.kron(neighbour_means(grid[0], groups[0]), neighbour_means(grid[1], groups[1]))
