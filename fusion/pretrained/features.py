"""What a pretrained backbone expects before its first layer, in plain tensor arithmetic of the exported graph.

The audio features are `transformers`' own feature extractors written as one convolution per frame: every linear step
(centring, pre-emphasis, window, Fourier transform) is folded into its kernels.
"""

import math
import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgefuse.fusion.encoder_choice import Means
from edgefuse.fusion.features import resize

SAMPLE_RATE_HZ = 16_000
FRAME, HOP = 400, 160
"""Samples: 25 ms frames, 10 ms apart, in both AST and Whisper."""


class NormalizedImage(nn.Module):
    """Camera frame to a backbone's input.

    `forward(frame)`: uint8 (batch, H, W, 3) RGB, any H and W -> float32 (batch, 3, rows, columns), each channel minus
    its mean over its deviation. The whole frame, squeezed to the size; low-passed as in `resize`.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, size: tuple[int, int], mean: Means, deviation: Means) -> None:
        super().__init__()
        self.size = size
        means, deviations = torch.tensor(mean).reshape(3, 1, 1), torch.tensor(deviation).reshape(3, 1, 1)
        self.register_buffer("factor", 1 / (255 * deviations), persistent=False)
        self.register_buffer("shift", -means / deviations, persistent=False)

    def forward(self, frame: Tensor) -> Tensor:
        return resize(frame, self.size) * self.factor + self.shift


class Waveform(nn.Module):
    """PCM as wav2vec2 takes it: float32 (batch, samples) -> the same, of mean 0 and deviation 1 per window if
    `normalized`."""

    def __init__(self, normalized: bool) -> None:
        super().__init__()
        self.normalized = normalized

    def forward(self, pcm: Tensor) -> Tensor:
        if not self.normalized:
            return pcm
        centred = pcm - pcm.mean(dim=1, keepdim=True)
        return centred / torch.sqrt((centred * centred).mean(dim=1, keepdim=True) + 1e-7)


class KaldiLogMel(nn.Module):
    """PCM to the log-mel energies of AST: float32 (batch, samples) -> (batch, length, bands).

    Kaldi's filter bank: each frame's mean is taken away, pre-emphasis of 0.97, Hann window, 512-point transform, power,
    triangular filters from 20 Hz, natural logarithm; frames of zeros (after the logarithm) up to `length`, more are
    cut; `mean` is taken away and the rest divided by twice `deviation`.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, bands: int, length: int, mean: float, deviation: float) -> None:
        super().__init__()
        self.length, self.mean, self.deviation = length, mean, deviation
        self.register_buffer("basis", kaldi_basis(), persistent=False)
        self.register_buffer("filters", kaldi_filters(bands), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        power = power_of(pcm[:, : FRAME + (self.length - 1) * HOP], self.basis)
        log_mel = torch.log((self.filters @ power).clamp(min=1.192092955078125e-07)).transpose(1, 2)
        log_mel = functional.pad(log_mel, (0, 0, 0, self.length - log_mel.shape[1]))
        return (log_mel - self.mean) / (2 * self.deviation)


class WhisperLogMel(nn.Module):
    """PCM to the log-mel energies of Whisper: float32 (batch, samples) -> (batch, bands, frames).

    The samples end half a frame before the last frame at the latest; silence follows them. Hann window centred on
    every 160th sample, the beginning mirrored, power, Slaney's mel filters, log10; what is more than 8 below the
    loudest is raised to it; (x + 4) / 4.
    """

    basis: Tensor
    filters: Tensor
    mirror: Tensor

    def __init__(self, bands: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.register_buffer("basis", fourier(FRAME, periodic_hann(FRAME)), persistent=False)
        self.register_buffer("filters", whisper_filters(bands), persistent=False)
        self.register_buffer("mirror", torch.arange(FRAME // 2, 0, -1), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        mirrored = pcm.index_select(1, self.mirror)
        power = power_of(functional.pad(torch.cat([mirrored, pcm], dim=1), (0, FRAME)), self.basis)[:, :, : self.frames]
        log_mel = torch.log10((self.filters @ power).clamp(min=1e-10))
        log_mel = functional.pad(log_mel, (0, self.frames - log_mel.shape[2]), value=-10.0)
        loudest = log_mel.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log_mel, loudest - 8.0) + 4.0) / 4.0


def power_of(pcm: Tensor, basis: Tensor) -> Tensor:
    """(batch, samples), kernels of real, then imaginary parts (2 x bins, 1, samples of a frame) -> (batch, bins,
    frames)."""
    real, imaginary = functional.conv1d(pcm.unsqueeze(1), basis, stride=HOP).chunk(2, dim=1)
    return real * real + imaginary * imaginary


def periodic_hann(samples: int) -> Tensor:
    """float64 (samples,)."""
    return torch.hann_window(samples, periodic=True, dtype=torch.float64)


def fourier(points: int, before: Tensor) -> Tensor:
    """The kernels of a Fourier transform of `points`, after `before`: a window (samples,) or any linear map of a frame
    (samples, samples); float32 (2 x bins, 1, samples)."""
    sample = torch.arange(len(before), dtype=torch.float64)
    phase = 2 * math.pi * torch.arange(points // 2 + 1, dtype=torch.float64)[:, None] * sample / points
    waves = torch.cat([phase.cos(), phase.sin()])
    kernels = waves * before if before.ndim == 1 else waves @ before
    return kernels.unsqueeze(1).to(torch.float32)


def kaldi_basis(emphasis: float = 0.97) -> Tensor:
    """A frame's mean away, then y[n] = x[n] - 0.97 x[n - 1] (the first: (1 - 0.97) x), symmetric Hann, transform."""
    one = torch.eye(FRAME, dtype=torch.float64)
    emphasise = one - emphasis * torch.diag(torch.ones(FRAME - 1, dtype=torch.float64), -1)
    emphasise[0, 0] = 1 - emphasis
    window = torch.hann_window(FRAME, periodic=False, dtype=torch.float64)
    return fourier(512, window[:, None] * (emphasise @ (one - 1 / FRAME)))


def kaldi_filters(bands: int) -> Tensor:
    """float32 (bands, 257)."""
    from transformers.audio_utils import mel_filter_bank

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of AST's 128 filters the lowest lies between two bins: so it was trained
        filters = mel_filter_bank(
            257, bands, 20, SAMPLE_RATE_HZ // 2, SAMPLE_RATE_HZ, mel_scale="kaldi", triangularize_in_mel_space=True
        )
    return torch.from_numpy(np.ascontiguousarray(filters.T, dtype=np.float32))


def whisper_filters(bands: int) -> Tensor:
    """float32 (bands, 201)."""
    from transformers.audio_utils import mel_filter_bank

    bins = FRAME // 2 + 1
    filters = mel_filter_bank(bins, bands, 0.0, 8000.0, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(np.ascontiguousarray(filters.T, dtype=np.float32))
