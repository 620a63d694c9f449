"""Wav2Vec2 (Baevski et al. 2020, arXiv 2006.11477), AST (Gong et al. 2021, arXiv 2104.01778) and Whisper's encoder
(Radford et al. 2022, arXiv 2212.04356) as the audio sense.

AST and Whisper always work on their full length (10 and 30 s, say), the window followed by silence; of their states
only those that heard the window go on.
"""

import math

from torch import Tensor, nn

from edgefuse.fusion.alignment import Alignment, neighbour_means
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import PretrainedAudio
from edgefuse.fusion.encoders import Encoded
from edgefuse.fusion.errors import PretrainedError
from edgefuse.fusion.pretrained.architectures import backbone
from edgefuse.fusion.pretrained.features import FRAME, HOP, KaldiLogMel, Waveform, WhisperLogMel

TOKENS = 16
"""Over time, as many as the compact encoder has."""
SPECIAL = 2
"""Tokens of AST before its patches: classification and distillation."""
FRAMES_PER_STATE = 2
"""Of Whisper."""
MOST_STATES = 10_000
"""Each attends to each other; wav2vec2 has 80 of 1.6 s."""
MOST_BANDS, MOST_FRAMES = 1000, 100_000
"""Of AST's log-mel, which has 128 and 1024: no weight has their shape."""


class Wav2Vec2Encoder(nn.Module):
    """float32 PCM (batch, samples) at 16 kHz -> 16 tokens and the embedding."""

    def __init__(self, config: NetworkConfig, choice: PretrainedAudio) -> None:
        super().__init__()
        self.features = Waveform(choice.normalized)
        self.backbone = backbone(choice)
        states = config.window_samples
        for kernel, stride in zip(self.backbone.config.conv_kernel, self.backbone.config.conv_stride, strict=True):
            states = (states - kernel) // stride + 1
        if not 1 <= states <= MOST_STATES:
            said = f"{states:,} states of {config.window_samples} samples"
            raise PretrainedError(f"this wav2vec2 makes {said}; expected 1 to {MOST_STATES:,}")
        self.alignment = Alignment(self.backbone.config.hidden_size, config.dim, neighbour_means(states, TOKENS))

    def forward(self, pcm: Tensor) -> Encoded:
        return self.encode(self.features(pcm))

    def encode(self, pcm: Tensor) -> Encoded:
        """float (batch, samples) -> the encoding."""
        encoded: Encoded = self.alignment(self.backbone(pcm).last_hidden_state)
        return encoded


class ASTEncoder(nn.Module):
    """float32 PCM (batch, samples) at 16 kHz -> up to 16 tokens, each the mean over all frequencies at a time, and the
    embedding."""

    def __init__(self, config: NetworkConfig, choice: PretrainedAudio) -> None:
        super().__init__()
        self.backbone = backbone(choice)
        model = self.backbone.config
        if not (1 <= model.num_mel_bins <= MOST_BANDS and 1 <= model.max_length <= MOST_FRAMES):
            said = f"{model.num_mel_bins} bands, {model.max_length} frames"
            raise PretrainedError(f"this AST hears {said}; expected at most {MOST_BANDS} and {MOST_FRAMES:,}")
        mean, deviation = (choice.mean, choice.deviation) if choice.normalized else (0.0, 0.5)
        self.features = KaldiLogMel(model.num_mel_bins, model.max_length, mean, deviation)
        self.rows = (model.num_mel_bins - model.patch_size) // model.frequency_stride + 1
        columns = (model.max_length - model.patch_size) // model.time_stride + 1
        frames = (config.window_samples - FRAME) // HOP + 1
        self.columns = min(columns, math.ceil(frames / model.time_stride))
        self.alignment = Alignment(model.hidden_size, config.dim, neighbour_means(self.columns, TOKENS))

    def forward(self, pcm: Tensor) -> Encoded:
        return self.encode(self.features(pcm))

    def encode(self, log_mel: Tensor) -> Encoded:
        """float (batch, frames, bands) -> the encoding."""
        patches = self.backbone(log_mel).last_hidden_state[:, SPECIAL:].unflatten(1, (self.rows, -1))
        encoded: Encoded = self.alignment(patches[:, :, : self.columns].mean(dim=1))
        return encoded


class WhisperEncoder(nn.Module):
    """float32 PCM (batch, samples) at 16 kHz -> 16 tokens and the embedding."""

    def __init__(self, config: NetworkConfig, choice: PretrainedAudio) -> None:
        super().__init__()
        self.backbone = backbone(choice)
        model = self.backbone.config
        frames = FRAMES_PER_STATE * model.max_source_positions
        if config.window_samples > frames * HOP - FRAME // 2:
            raise PretrainedError(f"this Whisper hears {frames * HOP} samples, too few for {config.window_samples}")
        self.features = WhisperLogMel(model.num_mel_bins, frames)
        self.states = math.ceil(config.window_samples / HOP / FRAMES_PER_STATE)
        self.alignment = Alignment(model.d_model, config.dim, neighbour_means(self.states, TOKENS))

    def forward(self, pcm: Tensor) -> Encoded:
        return self.encode(self.features(pcm))

    def encode(self, log_mel: Tensor) -> Encoded:
        """float (batch, bands, frames) -> the encoding."""
        encoded: Encoded = self.alignment(self.backbone(log_mel).last_hidden_state[:, : self.states])
        return encoded


PretrainedAudioEncoder = Wav2Vec2Encoder | ASTEncoder | WhisperEncoder


def pretrained_audio_encoder(config: NetworkConfig, choice: PretrainedAudio) -> PretrainedAudioEncoder:
    """The encoder of the choice's architecture."""
    if choice.architecture == "wav2vec2":
        return Wav2Vec2Encoder(config, choice)
    return WhisperEncoder(config, choice) if choice.architecture == "whisper" else ASTEncoder(config, choice)
