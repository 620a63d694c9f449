"""Small networks that nobody of ours wrote for edgefuse, as specs: what they share is only FusionSpec."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from edgefuse.export.spec import Examples, FusionSpec, ModalitySpec
from edgefuse.runtime.bundle.manifest import ImageModality, SignalModality

LABELS = {"push": "a push", "slip": "a slip", "rest": "rest"}
WINDOW, CHANNELS, SIDE = 20, 6, 24


class Glance(nn.Module):
    """uint8 (batch, height, width, 3) -> an embedding (batch, 8) alone."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, frame: Tensor) -> Tensor:
        return self.convolution(frame.permute(0, 3, 1, 2).float() / 255).relu().mean(dim=(2, 3))


class Feel(nn.Module):
    """float (batch, WINDOW, CHANNELS) -> tokens (batch, 1, 12), embedding (batch, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(CHANNELS, 12, batch_first=True)
        self.project = nn.Linear(12, 8)

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        states, _ = self.recurrent(series)
        return states[:, -1:], self.project(states[:, -1])


class Both(nn.Module):
    """Fixed classes, every sense needed; reads one sense's embedding and the other's tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8 + 12, len(LABELS))

    def forward(self, tokens: list[Tensor], embeddings: list[Tensor]) -> Tensor:
        return self.head(torch.cat([embeddings[0], tokens[1][:, 0]], dim=1)).softmax(dim=-1)


class Whole(nn.Module):
    """A network that is one module: frames and a series in, scores out."""

    def __init__(self) -> None:
        super().__init__()
        self.glance, self.feel, self.both = Glance(), Feel(), Both()

    def forward(self, camera: Tensor, imu: Tensor) -> Tensor:
        tokens, _ = self.feel(imu)
        return self.both([tokens, tokens], [self.glance(camera), self.glance(camera)])


def examples(count: int, seed: int, labels: bool = True) -> Examples:
    """Noise; labels at random."""
    random = np.random.default_rng(seed)
    samples = {
        "camera": random.integers(0, 256, (count, SIDE, SIDE + 8, 3), dtype=np.uint8),
        "imu": random.standard_normal((count, WINDOW, CHANNELS)).astype(np.float32),
    }
    return Examples(samples, random.integers(0, len(LABELS), count) if labels else None)


def split_spec(
    glance: nn.Module | None = None, feel: nn.Module | None = None, both: nn.Module | None = None
) -> FusionSpec:
    """Two encoders and a fusion; a part of it may be another module."""
    torch.manual_seed(0)
    return FusionSpec(
        name="touch",
        modalities=(
            ModalitySpec(ImageModality(name="camera", graph=None, max_age_ms=100), glance or Glance()),
            ModalitySpec(
                SignalModality(
                    name="imu",
                    graph=None,
                    max_age_ms=50,
                    rate_hz=100,
                    window_samples=WINDOW,
                    hop_samples=5,
                    channels=CHANNELS,
                ),
                feel or Feel(),
            ),
        ),
        fusion=both or Both(),
        labels=LABELS,
        calibration=examples(20, seed=1, labels=False),
        holdout=examples(20, seed=2),
    )


def whole_spec(network: nn.Module | None = None) -> FusionSpec:
    """The same senses, in one module."""
    torch.manual_seed(0)
    spec = split_spec(both=network or Whole())
    return replace(spec, modalities=tuple(replace(modality, encoder=None) for modality in spec.modalities))
