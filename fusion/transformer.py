"""What encoders and fusion share: the attention block, the attention pooling, vectors of length 1."""

import math

from torch import Tensor, nn
from torch.nn import functional

MASKED = -1e4
"""Added to an attention score to hide its key: finite (no NaN where all is hidden), and exp of it is 0 exactly."""


def unit(x: Tensor, smallest: float = 1e-12) -> Tensor:
    """`x` divided by its length along the last axis; a vector shorter than `smallest` is divided by that."""
    scaled: Tensor = x / x.norm(dim=-1, keepdim=True).clamp(min=smallest)
    return scaled


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and feed-forward (Xiong et al. 2020, arXiv 2002.04745).

    `forward(states, bias)`: states (batch, n, dim); bias added to the scores, broadcastable to (batch, n, n), 0 where a
    key is to be seen and `MASKED` where not -> (batch, n, dim).
    """

    def __init__(self, dim: int, heads: int, expansion: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / math.sqrt(dim // heads)
        self.attention_norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.feed_norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, expansion * dim)
        self.narrow = nn.Linear(expansion * dim, dim)

    def forward(self, states: Tensor, bias: Tensor | None = None) -> Tensor:
        states = states.transpose(0, 1)
        states = states + self.attend(self.attention_norm(states), bias)
        states = states + self.narrow(functional.gelu(self.widen(self.feed_norm(states))))
        return states.transpose(0, 1)

    def attend(self, states: Tensor, bias: Tensor | None) -> Tensor:
        """states (n, batch, dim): in this order ONNX Runtime multiplies the heads without copying them apart."""
        heads = self.query_key_value(states).unflatten(-1, (3 * self.heads, -1)).permute(1, 2, 0, 3)
        query, key, value = heads.chunk(3, dim=1)
        scores = query @ key.transpose(-1, -2) * self.scale
        if bias is not None:
            scores = scores + bias.unsqueeze(1)
        out: Tensor = self.output((scores.softmax(dim=-1) @ value).permute(2, 0, 1, 3).flatten(2))
        return out


class AttentionPooling(nn.Module):
    """Weighted means of tokens, one per learned query.

    `forward(states, bias)`: (batch, n, dim), bias (batch, n) as above -> pooled (batch, queries, dim), weights
    (batch, queries, n) that sum to 1.
    """

    def __init__(self, dim: int, queries: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, queries)

    def forward(self, states: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        scores = self.score(states).transpose(1, 2)
        if bias is not None:
            scores = scores + bias.unsqueeze(1)
        weights = scores.softmax(dim=-1)
        return weights @ states, weights
