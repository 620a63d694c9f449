"""The whole network: one encoder per sense and the fusion of any subset of them."""

from typing import cast

from torch import Tensor, nn

from edgefuse.fusion.attention import AttentionFusion, FusionOutput
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.deep_speech import DeepSpeechEncoder
from edgefuse.fusion.encoder_choice import Compact, DeepSpeech
from edgefuse.fusion.encoders import AudioEncoder, ImageEncoder, TextEncoder
from edgefuse.fusion.pretrained.audio import PretrainedAudioEncoder, pretrained_audio_encoder
from edgefuse.fusion.pretrained.image import PretrainedImageEncoder
from edgefuse.fusion.pretrained.text import BertEncoder

AnyImageEncoder = ImageEncoder | PretrainedImageEncoder
AnyAudioEncoder = AudioEncoder | DeepSpeechEncoder | PretrainedAudioEncoder
AnyTextEncoder = TextEncoder | BertEncoder


class FusionNetwork(nn.Module):
    """What the robot perceives with.

    `encoders[modality](x)` gives `(tokens (batch, n, dim), embedding (batch, dim))`:
    - "image": uint8 (batch, H, W, 3) RGB, any size;
    - "audio": float32 (batch, `config.window_samples`) PCM at 16 kHz in -1..1;
    - "text": int64 (batch, length <= `config.text_length`) token ids, 0 = padding.

    Which encoder each sense has is the configuration's choice. Raises `PretrainedError` where that one needs a package
    that is not installed.

    `fusion(tokens, embeddings, present, prompts)` takes them all in the order of `config.modalities`. Prompts are
    embeddings of texts: `encoders["text"](ids).embedding`.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleDict(
            {"image": image_encoder(config), "audio": audio_encoder(config), "text": text_encoder(config)}
        )
        self.fusion = AttentionFusion(config)

    @property
    def image(self) -> AnyImageEncoder:
        return cast(AnyImageEncoder, self.encoders["image"])

    @property
    def audio(self) -> AnyAudioEncoder:
        return cast(AnyAudioEncoder, self.encoders["audio"])

    @property
    def text(self) -> AnyTextEncoder:
        return cast(AnyTextEncoder, self.encoders["text"])

    def backbones(self) -> list[nn.Module]:
        """The pretrained models inside the encoders, without the projections around them."""
        return [cast(nn.Module, encoder.backbone) for encoder in self.encoders.values() if hasattr(encoder, "backbone")]

    def forward(self, image: Tensor, audio: Tensor, text: Tensor, present: Tensor, prompt_ids: Tensor) -> FusionOutput:
        """All in one step: each sense as above, present bool (batch, 3), prompt_ids int64 (classes, length)."""
        inputs = dict(zip(self.config.modalities, (image, audio, text), strict=True))
        encoded = [self.encoders[modality](inputs[modality]) for modality in self.config.modalities]
        prompts = self.encoders["text"](prompt_ids)[1]
        fused: FusionOutput = self.fusion([one[0] for one in encoded], [one[1] for one in encoded], present, prompts)
        return fused


def image_encoder(config: NetworkConfig) -> AnyImageEncoder:
    """The encoder that the configuration chooses, as every one below."""
    choice = config.image_encoder
    return ImageEncoder(config) if isinstance(choice, Compact) else PretrainedImageEncoder(config, choice)


def audio_encoder(config: NetworkConfig) -> AnyAudioEncoder:
    choice = config.audio_encoder
    if isinstance(choice, Compact):
        return AudioEncoder(config)
    if isinstance(choice, DeepSpeech):
        return DeepSpeechEncoder(config, choice)
    return pretrained_audio_encoder(config, choice)


def text_encoder(config: NetworkConfig) -> AnyTextEncoder:
    choice = config.text_encoder
    return TextEncoder(config) if isinstance(choice, Compact) else BertEncoder(config, choice)
