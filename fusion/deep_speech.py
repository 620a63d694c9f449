"""An audio encoder after Deep Speech (Hannun et al. 2014, arXiv 1412.5567, section 2)."""

import torch
from torch import Tensor, nn

from edgefuse.fusion.alignment import Alignment, neighbour_means
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import DeepSpeech
from edgefuse.fusion.encoders import Encoded
from edgefuse.fusion.features import AudioFeatures

CLIP = 20.0
"""The paper's clipped rectifier: g(z) = min(max(0, z), 20)."""
TOKENS = 16


class DeepSpeechEncoder(nn.Module):
    """float32 PCM (batch, samples) at 16 kHz -> 16 tokens and the embedding.

    Of each frame the lowest cepstral coefficients; three dense layers, the first over a frame and its context on either
    side, at every second frame; a recurrent layer in both directions, their sum; a dense layer. As in the paper but for
    the recurrence: a GRU in place of its plain rectified one, which ONNX has no exported operator for (the exporter
    unrolls it); and our tokens in place of letters.
    """

    def __init__(self, config: NetworkConfig, choice: DeepSpeech) -> None:
        super().__init__()
        width = choice.width
        self.features = AudioFeatures(
            "mfcc", config.sample_rate_hz, config.frame_samples, config.hop_samples, config.mel_bands
        )
        self.cepstra = choice.cepstra
        self.norm = nn.BatchNorm1d(choice.cepstra)
        self.in_context = nn.Conv1d(choice.cepstra, width, 2 * choice.context + 1, stride=2, padding=choice.context)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, width)
        self.recurrent = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.fifth = nn.Linear(width, width)
        states = (config.audio_frames + 1) // 2
        self.alignment = Alignment(width, config.dim, neighbour_means(states, TOKENS))
        self.initialise()

    def initialise(self) -> None:
        """He et al. 2015 for the rectified layers, so that signals keep their size through them."""
        for layer in (self.in_context, self.second, self.third, self.fifth):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, pcm: Tensor) -> Encoded:
        return self.encode(self.features(pcm))

    def encode(self, cepstrum: Tensor) -> Encoded:
        """float (batch, coefficients, frames) -> the encoding."""
        states = rectify(self.in_context(self.norm(cepstrum[:, : self.cepstra]))).transpose(1, 2)
        states = rectify(self.third(rectify(self.second(states))))
        forwards, backwards = self.recurrent(states)[0].chunk(2, dim=2)
        encoded: Encoded = self.alignment(rectify(self.fifth(forwards + backwards)))
        return encoded


def rectify(x: Tensor) -> Tensor:
    return torch.clamp(x, 0.0, CLIP)
