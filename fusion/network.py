"""The whole network: one encoder per sense and the fusion of any subset of them."""

from typing import cast

from torch import Tensor, nn

from edgefuse.fusion.attention import AttentionFusion, FusionOutput
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoders import AudioEncoder, ImageEncoder, TextEncoder


class FusionNetwork(nn.Module):
    """What the robot perceives with.

    `encoders[modality](x)` gives `(tokens (batch, n, dim), embedding (batch, dim))`:
    - "image": uint8 (batch, H, W, 3) RGB, any size;
    - "audio": float32 (batch, `config.window_samples`) PCM at 16 kHz in -1..1;
    - "text": int64 (batch, length <= `config.text_length`) token ids, 0 = padding.

    `fusion(tokens, embeddings, present, prompts)` takes them all in the order of `config.modalities`. Prompts are
    embeddings of texts: `encoders["text"](ids).embedding`.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleDict(
            {"image": ImageEncoder(config), "audio": AudioEncoder(config), "text": TextEncoder(config)}
        )
        self.fusion = AttentionFusion(config)

    @property
    def image(self) -> ImageEncoder:
        return cast(ImageEncoder, self.encoders["image"])

    @property
    def audio(self) -> AudioEncoder:
        return cast(AudioEncoder, self.encoders["audio"])

    @property
    def text(self) -> TextEncoder:
        return cast(TextEncoder, self.encoders["text"])

    def forward(self, image: Tensor, audio: Tensor, text: Tensor, present: Tensor, prompt_ids: Tensor) -> FusionOutput:
        """All in one step: each sense as above, present bool (batch, 3), prompt_ids int64 (classes, length)."""
        inputs = dict(zip(self.config.modalities, (image, audio, text), strict=True))
        encoded = [self.encoders[modality](inputs[modality]) for modality in self.config.modalities]
        prompts = self.encoders["text"](prompt_ids)[1]
        return self.fusion([one[0] for one in encoded], [one[1] for one in encoded], present, prompts)
