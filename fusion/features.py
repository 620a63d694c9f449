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
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, frame: Tensor) -> Tensor:
        return resize(frame, self.size) * (1 / 63.75) - 2.0

    @staticmethod
    def same_size(frame: Tensor) -> Tensor:
        """The same for frames that have the network's size already, at a fraction of the cost (training): there,
        bilinear doubling and 2 x 2 mean are together the kernel (1, 6, 1) / 8 along rows and columns."""
        image = functional.pad(frame.permute(0, 3, 1, 2).to(torch.float32), (1, 1, 1, 1), mode="replicate")
        image = 0.75 * image[:, :, 1:-1] + 0.125 * (image[:, :, :-2] + image[:, :, 2:])
        image = 0.75 * image[:, :, :, 1:-1] + 0.125 * (image[:, :, :, :-2] + image[:, :, :, 2:])
        return image * (1 / 63.75) - 2.0


def resize(frame: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 (batch, H, W, 3) -> float32 (batch, 3, *size), 0..255.

    Bilinear to twice the size, then a 2 x 2 mean: a cheap low-pass that every backend parses. Halving bilinearly is
    that mean, and three times as fast in ONNX Runtime as its average pooling.
    """
    image = frame.permute(0, 3, 1, 2).to(torch.float32)
    image = functional.interpolate(image, size=(2 * size[0], 2 * size[1]), mode="bilinear", align_corners=False)
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)


class AudioFeatures(nn.Module):
    """PCM to log-mel energies, or to their cepstrum (MFCC).

    `forward(pcm)`: float32 (batch, samples) in -1..1 -> float32 (batch, bands, frames). Short-time Fourier transform
    (Hann window, half a hop of zeros at each end), power, triangular mel filters (HTK scale, 2595 log10(1 + f / 700)),
    log(x + 1e-5). "mfcc" multiplies by the orthonormal DCT-II over the bands (Davis and Mermelstein 1980), keeping
    every coefficient.

    The transform of a frame with the halves a and b is at even frequencies that of a + b, at odd ones that of a - b
    (Cooley and Tukey 1965, one step of radix 2, decimated in frequency): two matrix products of half the size.
    """

    rising: Tensor
    falling: Tensor
    even_waves: Tensor
    odd_waves: Tensor
    even_filters: Tensor
    odd_filters: Tensor
    cosines: Tensor

    def __init__(self, kind: str, sample_rate_hz: int, frame_samples: int, hop_samples: int, mel_bands: int) -> None:
        super().__init__()
        self.kind = kind
        self.frame, self.hop = frame_samples, hop_samples
        filters = mel_filters(sample_rate_hz, frame_samples, mel_bands).T
        rising, falling = torch.hann_window(frame_samples, dtype=torch.float64).to(torch.float32).chunk(2)
        self.register_buffer("rising", rising, persistent=False)
        self.register_buffer("falling", falling, persistent=False)
        for name, first in (("even", 0), ("odd", 1)):
            self.register_buffer(f"{name}_waves", waves(frame_samples, first), persistent=False)
            self.register_buffer(f"{name}_filters", filters[first::2].repeat(2, 1), persistent=False)
        self.register_buffer("cosines", dct_matrix(mel_bands), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        first, second = self.halves(pcm)
        first, second = first * self.rising, second * self.falling
        even, odd = (first + second) @ self.even_waves, (first - second) @ self.odd_waves
        mel = (even * even) @ self.even_filters + (odd * odd) @ self.odd_filters
        log_mel = torch.log(mel + LOG_FLOOR).transpose(1, 2)
        return self.cosines @ log_mel if self.kind == "mfcc" else log_mel

    def halves(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        """The first and the second half of every frame: (batch, frames, frame_samples / 2) each.

        Put together of pieces of which both a hop and half a frame are made; a hop of half a frame is one piece.
        """
        samples, before = pcm.shape[1], (self.frame - self.hop) // 2
        last = (samples + 2 * before - self.frame) // self.hop * self.hop
        padded = functional.pad(pcm, (before, last + self.frame - before - samples))
        piece = math.gcd(self.hop, self.frame // 2)
        pieces = padded.unflatten(1, (-1, piece))
        parts = [pieces[:, at : at + last // piece + 1 : self.hop // piece] for at in range(self.frame // piece)]
        middle = len(parts) // 2
        return torch.cat(parts[:middle], dim=2), torch.cat(parts[middle:], dim=2)


def waves(frame_samples: int, first: int) -> Tensor:
    """Cosines, then sines of every second frequency from the `first` on, over half a frame: float32 (frame_samples / 2,
    2 x frequencies)."""
    sample = torch.arange(frame_samples // 2, dtype=torch.float64)
    frequency = torch.arange(first, frame_samples // 2 + 1, 2, dtype=torch.float64)
    phase = 2 * math.pi * sample[:, None] * frequency / frame_samples
    return torch.cat([phase.cos(), phase.sin()], dim=1).to(torch.float32)


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
