"""The architectures that can be a sense's backbone, built by `transformers`, without weights of theirs."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from edgefuse.fusion.encoder_choice import Pretrained
from edgefuse.fusion.errors import PretrainedError

ATTENTION = "edgefuse"
"""The name under which transformers knows `attention`."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sense it is for; the names of its configuration and model in `transformers`; the part of the model that is
    the encoder ("" for all of it); what its constructor is told beside the configuration."""

    sense: str
    config: str
    model: str
    part: str
    options: dict[str, bool]


NO_POOLER = {"add_pooling_layer": False}
ARCHITECTURES = {
    "resnet": Architecture("image", "ResNetConfig", "ResNetModel", "", {}),
    "vit": Architecture("image", "ViTConfig", "ViTModel", "", NO_POOLER),
    "wav2vec2": Architecture("audio", "Wav2Vec2Config", "Wav2Vec2Model", "", {}),
    "audio-spectrogram-transformer": Architecture("audio", "ASTConfig", "ASTModel", "", {}),
    "whisper": Architecture("audio", "WhisperConfig", "WhisperModel", "encoder", {}),
    "bert": Architecture("text", "BertConfig", "BertModel", "", NO_POOLER),
}
"""By the `model_type` of config.json."""


def transformers() -> ModuleType:
    """The package, with our attention in it; raises `PretrainedError` where it is not installed."""
    try:
        package = import_module("transformers")
    except ModuleNotFoundError as error:
        message = "pretrained encoders need transformers, which is not installed: pip install transformers"
        raise PretrainedError(message) from error
    package.AttentionInterface.register(ATTENTION, attention)
    return package


def attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float,
    dropout: float = 0.0, **_: object,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention as transformers calls it, (batch, heads, n, size) each, in plain matrix products.

    Its own "eager" one adds masks even where nothing is to be masked, and hides with the lowest float32, which 16-bit
    floats cannot hold; "sdpa" exports with tests for NaN. The mask is added as it is, or is None.
    """
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = functional.dropout(scores.softmax(dim=-1), dropout, module.training)
    return (weights @ value).transpose(1, 2), None


def backbone(choice: Pretrained) -> Any:
    """The model of a choice (an nn.Module that has its configuration as `config`), with its architecture's own random
    initialisation, in float32. Raises `PretrainedError` where `transformers` does not take the configuration."""
    package, architecture = transformers(), ARCHITECTURES[choice.architecture]
    try:
        config = getattr(package, architecture.config).from_dict(dict(choice.model))
        config._attn_implementation = ATTENTION
        model = getattr(package, architecture.model)(config, **architecture.options)
    except Exception as error:  # each configuration checks itself in its own way
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        message = f"transformers builds no {choice.architecture} from this configuration: {reason}"
        raise PretrainedError(message) from error
    return encoder_of(model, architecture)


def encoder_of(model: Any, architecture: Architecture) -> Any:
    """The part of a model that is the encoder. Of wav2vec2: weights in place of formulas for them (its weight norm),
    and no masking in training, which would draw from NumPy's global generator."""
    part = model.get_submodule(architecture.part)
    if hasattr(part.config, "apply_spec_augment"):
        part.config.apply_spec_augment = False
    for module in list(part.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return part
