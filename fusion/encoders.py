"""One encoder per sense: raw input to a few tokens and one vector in the aligned space.

Each `forward(x)` returns `Encoded(tokens (batch, n, dim), embedding (batch, dim) L2-normalised)` in float32. Image and
audio are split into `features` (fixed arithmetic, kept in float32 in training) and `encode` (the learned part).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgefuse.fusion.config import PADDING_ID, NetworkConfig
from edgefuse.fusion.features import AudioFeatures, ImageFeatures
from edgefuse.fusion.transformer import MASKED, AttentionPooling, TransformerBlock, unit

PLACES = (6, 8)
"""Cells (rows, columns) of the map in which the image encoder looks for the object."""
SMALLEST = 1e-4
"""Length that a vector is at least divided by: far below any text's, and not 0 in 16-bit floats."""


class Encoded(NamedTuple):
    """tokens (batch, n, dim); embedding (batch, dim), length 1."""

    tokens: Tensor
    embedding: Tensor


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al. 2016): plain Conv + BN + ReLU, which quantizes well."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


def stem(channels_in: int, channels: int) -> nn.Sequential:
    """5 x 5 convolution that halves rows and columns."""
    return nn.Sequential(nn.Conv2d(channels_in, channels, 5, 2, 2, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


class ImageEncoder(nn.Module):
    """uint8 (batch, H, W, 3) RGB -> 12 tokens (a 3 x 4 grid) and the embedding.

    A compact residual CNN. The embedding pools the last map (6 x 8) where the attention finds the object.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        first, second, third, last = config.image_channels
        self.features = ImageFeatures(config.image_size)
        self.stages = nn.Sequential(
            stem(3, first),
            ResidualBlock(first, second, 2),
            ResidualBlock(second, second, 1),
            ResidualBlock(second, third, 2),
            ResidualBlock(third, third, 1),
            ResidualBlock(third, last, 2),
            ResidualBlock(last, last, 1),
        )
        self.tokens = nn.Linear(last, config.dim)
        self.pooling = AttentionPooling(last, queries=2)
        self.embedding = nn.Linear(2 * last, config.dim)

    def forward(self, frame: Tensor) -> Encoded:
        return self.encode(self.features(frame))[0]

    def training_features(self, frame: Tensor) -> Tensor:
        """`features`, of frames that have `config.image_size` already."""
        return self.features.same_size(frame)

    def encode(self, image: Tensor) -> tuple[Encoded, Tensor]:
        """float (batch, 3, rows, columns) -> the encoding, and where it looked: (batch, 2, cells), sums 1."""
        feature_map = self.stages(image)
        cells, looked_at = self.pooling(feature_map.flatten(2).transpose(1, 2))
        grid = functional.avg_pool2d(feature_map, 2).flatten(2).transpose(1, 2)
        embedding = unit(self.embedding(cells.flatten(1)))
        return Encoded(self.tokens(grid), embedding), looked_at


class AudioEncoder(nn.Module):
    """float32 PCM (batch, samples) at 16 kHz -> 16 tokens (one per 100 ms) and the embedding.

    A residual CNN over the bands x frames picture, one transformer block over time, attention pooling.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        first, second, last = config.audio_channels
        self.features = AudioFeatures(
            config.audio_features, config.sample_rate_hz, config.frame_samples, config.hop_samples, config.mel_bands
        )
        self.norm = nn.BatchNorm1d(config.mel_bands)
        self.stages = nn.Sequential(
            stem(1, first),
            ResidualBlock(first, second, 2),
            ResidualBlock(second, second, 1),
            ResidualBlock(second, last, 2),
            ResidualBlock(last, last, 1),
        )
        self.column = nn.Linear(last * config.mel_bands // 8, config.dim)
        self.place = nn.Parameter(torch.randn(config.audio_frames // 8, config.dim) * 0.02)
        self.block = TransformerBlock(config.dim, config.heads)
        self.final_norm = nn.LayerNorm(config.dim)
        self.pooling = AttentionPooling(config.dim, queries=2)
        self.embedding = nn.Linear(2 * config.dim, config.dim)

    def forward(self, pcm: Tensor) -> Encoded:
        return self.encode(self.features(pcm))

    def encode(self, bands: Tensor) -> Encoded:
        """float (batch, bands, frames) -> the encoding."""
        feature_map = self.stages(self.norm(bands).unsqueeze(1))
        columns = self.column(feature_map.permute(0, 3, 1, 2).flatten(2))
        tokens = self.final_norm(self.block(columns + self.place))
        heard, _ = self.pooling(tokens)
        return Encoded(tokens, unit(self.embedding(heard.flatten(1))))


class TextEncoder(nn.Module):
    """int64 ids (batch, length), 0 = padding -> `text_tokens` tokens and the embedding.

    Compositional by construction: a first block sees only the pieces of one word, so that a word's value does not
    depend on its neighbours (and a misspelt word is still read, piece by piece); a second block sees the whole text and
    sets how much each word counts. The embedding is the normalised sum of gate x value, hence "old cup" lies between
    "old" and "cup", also when the two never met in training. A text of padding only has the embedding 0.
    """

    earlier: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        length = config.text_length
        self.table = nn.Parameter(torch.randn(config.vocabulary_size, config.dim))
        self.piece_place = nn.Parameter(torch.randn(length, config.dim) * 0.02)
        self.text_place = nn.Parameter(torch.randn(length, config.dim) * 0.02)
        self.word_block = TransformerBlock(config.dim, config.heads)
        self.text_block = TransformerBlock(config.dim, config.heads)
        self.value = nn.Linear(config.dim, config.dim)
        self.gate = nn.Linear(config.dim, 1)
        self.final_norm = nn.LayerNorm(config.dim)
        self.pooling = AttentionPooling(config.dim, config.text_tokens)
        self.continuation_from = config.continuation_from
        self.register_buffer("earlier", torch.ones(length, length).tril(), persistent=False)

    def forward(self, ids: Tensor) -> Encoded:
        length = ids.shape[1]
        filled = (ids != PADDING_ID).to(self.table.dtype)
        earlier = self.earlier[:length, :length]
        starts_word = (ids < self.continuation_from).to(filled.dtype) * filled
        word = starts_word @ earlier.T
        same_word = ((word.unsqueeze(2) - word.unsqueeze(1)).abs() < 0.5).to(filled.dtype) * filled.unsqueeze(1)
        piece = ((same_word * earlier).sum(dim=2) - 1).clamp(min=0).to(torch.int64)
        hidden = (1 - filled) * MASKED

        pieces = rows_of(self.table, ids) + rows_of(self.piece_place, piece)
        words = self.word_block(pieces, (1 - same_word) * MASKED)
        states = self.final_norm(self.text_block(words + self.text_place[:length], hidden.unsqueeze(1)))
        gates = torch.sigmoid(self.gate(states)) * filled.unsqueeze(2)
        embedding = unit((gates * self.value(words)).sum(dim=1), SMALLEST)
        return Encoded(self.pooling(states, hidden)[0], embedding)


def rows_of(table: Tensor, ids: Tensor) -> Tensor:
    """(rows, dim), int64 (batch, n) -> (batch, n, dim). As index_select, whose gradient is cheap on a CPU."""
    embedded: Tensor = table.index_select(0, ids.flatten()).unflatten(0, ids.shape)
    return embedded
