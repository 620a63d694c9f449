"""What stands before the learned layers: camera bytes to a small float image, PCM to log-mel or MFCC.

All of it is plain tensor arithmetic (resize, pooling, convolution, matrix product), so that it lives in the exported
graph and training, ONNX Runtime and TensorRT run the same numbers.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LOG_FLOOR = 1e-5


class ImageFeatures(nn.Module):
    """Camera frame to network input.

    `forward(frame)`: uint8 (batch, H, W, 3) RGB, any H and W -> float32 (batch, 3, rows, columns), about -2..2.
    Bilinear to twice the network's size, then a 2 x 2 mean: a cheap low-pass that every backend parses.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.doubled = (2 * size[0], 2 * size[1])

    def forward(self, frame: Tensor) -> Tensor:
        image = frame.permute(0, 3, 1, 2).to(torch.float32)
        image = functional.interpolate(image, size=self.doubled, mode="bilinear", align_corners=False)
        return functional.avg_pool2d(image, 2) * (1 / 63.75) - 2.0

    @staticmethod
    def same_size(frame: Tensor) -> Tensor:
        """The same for frames that have the network's size already, at a fraction of the cost (training): there,
        bilinear doubling and 2 x 2 mean are together the kernel (1, 6, 1) / 8 along rows and columns."""
        image = functional.pad(frame.permute(0, 3, 1, 2).to(torch.float32), (1, 1, 1, 1), mode="replicate")
        image = 0.75 * image[:, :, 1:-1] + 0.125 * (image[:, :, :-2] + image[:, :, 2:])
        image = 0.75 * image[:, :, :, 1:-1] + 0.125 * (image[:, :, :, :-2] + image[:, :, :, 2:])
        return image * (1 / 63.75) - 2.0


class AudioFeatures(nn.Module):
    """PCM to log-mel energies, or to their cepstrum (MFCC).

    `forward(pcm)`: float32 (batch, samples) in -1..1 -> float32 (batch, bands, frames). The short-time Fourier
    transform is a strided convolution with windowed cosines and sines (Hann window, half a hop of zeros at each end);
    then power, triangular mel filters (HTK scale, 2595 log10(1 + f / 700)), log(x + 1e-5). "mfcc" multiplies by the
    orthonormal DCT-II over the bands (Davis and Mermelstein 1980), keeping every coefficient.
    """

    basis: Tensor
    filters: Tensor
    cosines: Tensor

    def __init__(self, kind: str, sample_rate_hz: int, frame_samples: int, hop_samples: int, mel_bands: int) -> None:
        super().__init__()
        self.kind = kind
        self.hop = hop_samples
        self.padding = (frame_samples - hop_samples) // 2
        self.register_buffer("basis", fourier_basis(frame_samples), persistent=False)
        self.register_buffer("filters", mel_filters(sample_rate_hz, frame_samples, mel_bands), persistent=False)
        self.register_buffer("cosines", dct_matrix(mel_bands), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        spectrum = functional.conv1d(pcm.unsqueeze(1), self.basis, stride=self.hop, padding=self.padding)
        real, imaginary = spectrum.chunk(2, dim=1)
        log_mel = torch.log(self.filters @ (real * real + imaginary * imaginary) + LOG_FLOOR)
        return self.cosines @ log_mel if self.kind == "mfcc" else log_mel


def fourier_basis(frame_samples: int) -> Tensor:
    """Windowed cosines, then sines, as convolution kernels: float32 (2 x bins, 1, frame_samples)."""
    sample = torch.arange(frame_samples, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * sample / frame_samples)
    frequency = torch.arange(frame_samples // 2 + 1, dtype=torch.float64)
    phase = 2 * math.pi * frequency[:, None] * sample[None, :] / frame_samples
    return (torch.cat([phase.cos(), phase.sin()]) * window).unsqueeze(1).to(torch.float32)


def mel_filters(sample_rate_hz: int, frame_samples: int, bands: int, lowest_hz: float = 60.0) -> Tensor:
    """Triangular filters equally spaced on the mel scale up to half the sample rate: float32 (bands, bins)."""

    def mel(hz: Tensor) -> Tensor:
        return 2595 * torch.log10(1 + hz / 700)

    bins = torch.arange(frame_samples // 2 + 1, dtype=torch.float64) * sample_rate_hz / frame_samples
    low, high = mel(torch.tensor([lowest_hz, sample_rate_hz / 2], dtype=torch.float64)).tolist()
    corners = 700 * (10 ** (torch.linspace(low, high, bands + 2, dtype=torch.float64) / 2595) - 1)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    filters = torch.minimum(rising, falling).clamp(min=0)
    return (filters / filters.sum(dim=1, keepdim=True).clamp(min=1e-9)).to(torch.float32)


def dct_matrix(size: int) -> Tensor:
    """Orthonormal DCT-II, float32 (size, size): row k is sqrt(2 / size) cos(pi k (n + 1/2) / size), row 0 / sqrt(2)."""
    n = torch.arange(size, dtype=torch.float64)
    matrix = math.sqrt(2 / size) * torch.cos(math.pi * n[:, None] * (n[None, :] + 0.5) / size)
    matrix[0] /= math.sqrt(2)
    return matrix.to(torch.float32)
