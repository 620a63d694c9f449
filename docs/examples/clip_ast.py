"""A network that edgefuse did not build, exported: CLIP sees and reads, an audio spectrogram transformer (AST) hears.

    edgefuse export docs/examples/clip_ast.py:clip_ast -o bundle

Both come from `transformers`, here in a small size with random weights: load your own with `from_pretrained(directory)`
in their place, and give samples of what your robot meets instead of noise.
"""

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from torch.nn import functional
from transformers import ASTConfig, ASTModel, CLIPConfig, CLIPModel

from edgefuse.export import Examples, FusionSpec, ModalitySpec
from edgefuse.fusion import AudioFeatures
from edgefuse.runtime import AudioModality, ImageModality, TextModality

LABELS = {"cup": "a cup", "door": "a door", "person": "a person", "nothing": "nothing"}
DIM, SIDE, TEXT_LENGTH, WINDOW_SAMPLES = 32, 64, 8, 8000
END, WORDS = 1, ("[PAD]", "[END]", "[UNK]", "a", "cup", "door", "person", "nothing")


class Frame(nn.Module):
    """uint8 (batch, height, width, 3) -> float (batch, 3, SIDE, SIDE) about zero."""

    def forward(self, frame: Tensor) -> Tensor:
        scaled = frame.permute(0, 3, 1, 2).float() / 127.5 - 1
        return functional.interpolate(scaled, (SIDE, SIDE), mode="bilinear", align_corners=False)


class Seen(nn.Module):
    """CLIP's picture half."""

    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.features = Frame()
        self.vision, self.projection = clip.vision_model, clip.visual_projection

    def forward(self, frame: Tensor) -> dict[str, Tensor]:
        states = self.vision(pixel_values=self.features(frame))
        embedding = functional.normalize(self.projection(states.pooler_output), dim=-1)
        return {"tokens": states.last_hidden_state, "embedding": embedding}


class Read(nn.Module):
    """CLIP's text half; ids int64 (batch, TEXT_LENGTH), 0 is padding. Only an embedding: it is the token as well."""

    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.text, self.projection = clip.text_model, clip.text_projection

    def forward(self, ids: Tensor) -> Tensor:
        states = self.text(input_ids=ids, attention_mask=(ids != 0).long())
        return functional.normalize(self.projection(states.pooler_output), dim=-1)


class Heard(nn.Module):
    """PCM (batch, WINDOW_SAMPLES) at 16 kHz -> the states of the AST, and their projection."""

    def __init__(self, ast: ASTModel) -> None:
        super().__init__()
        self.features = AudioFeatures("log_mel", 16_000, 400, 200, ast.config.num_mel_bins)
        self.ast, self.projection = ast, nn.Linear(ast.config.hidden_size, DIM)

    def forward(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        states = self.ast(input_values=self.features(pcm).transpose(1, 2))
        return states.last_hidden_state, functional.normalize(self.projection(states.pooler_output), dim=-1)


class MeanFusion(nn.Module):
    """The mean of the present senses' embeddings, compared with every prompt; it has no use for tokens."""

    def forward(
        self, tokens: list[Tensor], embeddings: list[Tensor], present: Tensor, prompts: Tensor
    ) -> dict[str, Tensor]:
        weights = present.float() / present.sum(dim=1, keepdim=True)
        fused = functional.normalize((torch.stack(embeddings, dim=1) * weights.unsqueeze(2)).sum(dim=1), dim=-1)
        return {"scores": (10 * fused @ prompts.T).softmax(dim=-1), "embedding": fused, "weights": weights}


def clip_ast() -> FusionSpec:
    """What `edgefuse export` takes."""
    torch.manual_seed(0)
    layers = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = layers | {
        "vocab_size": len(WORDS),
        "max_position_embeddings": TEXT_LENGTH,
        "bos_token_id": None,
        "eos_token_id": END,
        "pad_token_id": 0,
    }
    vision = layers | {"image_size": SIDE, "patch_size": 16}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM))
    frames = WINDOW_SAMPLES // 200
    ast = ASTModel(
        ASTConfig(**layers, num_mel_bins=32, max_length=frames, patch_size=16, frequency_stride=8, time_stride=8)
    )
    return FusionSpec(
        name="clip_ast",
        modalities=(
            ModalitySpec(ImageModality(name="image", graph=None, max_age_ms=200), Seen(clip), features="features"),
            ModalitySpec(
                AudioModality(
                    name="audio",
                    graph=None,
                    max_age_ms=600,
                    rate_hz=16_000,
                    window_samples=WINDOW_SAMPLES,
                    hop_samples=1600,
                ),
                Heard(ast),
                features="features",
            ),
            ModalitySpec(TextModality(name="text", graph=None, max_age_ms=4000, max_tokens=TEXT_LENGTH), Read(clip)),
        ),
        fusion=MeanFusion(),
        labels=LABELS,
        background="nothing",
        calibration=examples(40, seed=1),
        holdout=examples(24, seed=2),
        tokenizer=tokenizer(),
    )


def tokenizer() -> Tokenizer:
    """Words to ids; every text ends with END and is padded with 0."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = TemplateProcessing(single="$A [END]", special_tokens=[("[END]", END)])
    return made


def examples(count: int, seed: int) -> Examples:
    """Noise of each sense, of which nobody knows what it shows."""
    random = np.random.default_rng(seed)
    ids = np.zeros((count, TEXT_LENGTH), np.int64)
    ids[:, :2] = random.integers(3, len(WORDS), (count, 2))
    ids[:, 2] = END
    return Examples(
        {
            "image": random.integers(0, 256, (count, 96, 128, 3), dtype=np.uint8),
            "audio": (0.1 * random.standard_normal((count, WINDOW_SAMPLES))).astype(np.float32),
            "text": ids,
        }
    )
