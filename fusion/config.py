"""The numbers that fix the network's shape. They travel in the checkpoint's metadata."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgefuse.fusion.encoder_choice import AudioChoice, Compact, Edge, ImageChoice, TextChoice

Modalities = tuple[Literal["image"], Literal["audio"], Literal["text"]]
MODALITIES: Modalities = ("image", "audio", "text")
PADDING_ID = 0
VOCABULARY_SIZE = 205
CONTINUATION_FROM = 169
"""Of the reference network's tokenizer (see tokenizer.py): its size, and its first piece that continues a word."""


Channels = Annotated[int, Field(ge=1, le=1024)]
"""Of a convolution."""


class NetworkConfig(BaseModel):
    """Shape of a `FusionNetwork`. Every field has the shipped network's value as its default.

    The number of tokens per sense follows: 12 from the image (a 3 x 4 grid), 16 from the audio window (one per 100 ms),
    `text_tokens` from the text, whatever its length; fewer where a pretrained encoder has fewer states.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    modalities: Modalities = MODALITIES
    dim: int = Field(128, ge=16, le=4096, multiple_of=8, description="width of tokens and of the aligned space")
    heads: int = Field(4, ge=1, le=256, description="attention heads, in every transformer block")
    fusion_layers: int = Field(2, ge=1, le=8, description="transformer blocks over the senses' tokens")

    image_encoder: ImageChoice = Compact()
    audio_encoder: AudioChoice = Compact()
    text_encoder: TextChoice = Compact()

    image_size: tuple[Edge, Edge] = Field((96, 128), description="rows, columns that the image encoder works on")
    image_channels: tuple[Channels, Channels, Channels, Channels] = Field(
        (24, 32, 64, 128), description="stem and the three stages"
    )

    audio_features: Literal["log_mel", "mfcc"] = "log_mel"
    sample_rate_hz: int = Field(16_000, ge=1000, le=192_000, description="of the PCM the audio encoder takes")
    window_samples: int = Field(25_600, ge=1, le=10_000_000, description="length of the audio window: 1.6 s")
    frame_samples: int = Field(
        400, ge=2, le=8192, multiple_of=2, description="length of one Hann-windowed frame: 25 ms"
    )
    hop_samples: int = Field(200, ge=1, le=8192, description="from frame to frame: 12.5 ms")
    mel_bands: int = Field(48, ge=8, le=512, multiple_of=8)
    audio_channels: tuple[Channels, Channels, Channels] = Field((32, 48, 96), description="stem and the two stages")

    vocabulary_size: int = Field(
        VOCABULARY_SIZE, ge=4, le=1_000_000, description="rows of the token table: the tokenizer's size"
    )
    continuation_from: int = Field(
        CONTINUATION_FROM, ge=0, description="token ids from here on continue the word before"
    )
    text_length: int = Field(32, ge=4, le=4096, description="token ids per text at most")
    text_tokens: int = Field(4, ge=1, le=256, description="tokens the text encoder hands to the fusion")

    @model_validator(mode="after")
    def _fits_together(self) -> "NetworkConfig":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is no multiple of heads {self.heads}")
        if self.hop_samples > self.frame_samples or self.frame_samples > self.window_samples:
            raise ValueError("hop_samples is at most frame_samples, and that at most window_samples")
        return self

    @property
    def audio_frames(self) -> int:
        """Feature frames per window (128 by default)."""
        return self.window_samples // self.hop_samples
