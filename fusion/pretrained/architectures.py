"""The architectures that can be a sense's backbone, built by `transformers`, without weights of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
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
    """The sense it is for; the names of its configuration and model in `transformers`; what the constructor is told
    beside the configuration; what a weight's name begins with in a directory of more than the encoder."""

    sense: str
    config: str
    model: str
    options: dict[str, bool]
    beginning: str | None = None


NO_POOLER = {"add_pooling_layer": False}
ARCHITECTURES = {
    "resnet": Architecture("image", "ResNetConfig", "ResNetModel", {}),
    "vit": Architecture("image", "ViTConfig", "ViTModel", NO_POOLER),
    "wav2vec2": Architecture("audio", "Wav2Vec2Config", "Wav2Vec2Model", {}),
    "audio-spectrogram-transformer": Architecture("audio", "ASTConfig", "ASTModel", {}),
    "whisper": Architecture(
        "audio", "WhisperConfig", "models.whisper.modeling_whisper.WhisperEncoder", {}, r"^(model\.)?encoder\."
    ),
    "bert": Architecture("text", "BertConfig", "BertModel", NO_POOLER),
}
"""By the `model_type` of config.json."""
NOT_THE_MODEL = {
    "_name_or_path", "architectures", "auto_map", "dtype", "fusion_config", "id2label", "label2id", "num_labels",
    "quantization_config", "torch_dtype", "transformers_version", "transformers_weights",
}  # fmt: skip
"""Entries of config.json that say nothing about the encoder's shape: of a head, and of how and from where its weights
are loaded."""


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
    architecture = ARCHITECTURES[choice.architecture]
    try:
        return plain(class_of(architecture)(configuration(architecture, choice.model), **architecture.options))
    except PretrainedError:
        raise
    except Exception as error:  # each configuration checks itself in its own way
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        message = f"transformers builds no {choice.architecture} from this configuration: {reason}"
        raise PretrainedError(message) from error


def class_of(architecture: Architecture) -> Any:
    """The model's class; `PretrainedError` where `transformers` is not installed."""
    return attrgetter(architecture.model)(transformers())


def configuration(architecture: Architecture, content: Mapping[str, Any]) -> Any:
    """The model's configuration from what a config.json holds; raises what its class raises."""
    stated = {key: value for key, value in content.items() if key not in NOT_THE_MODEL}
    config = getattr(transformers(), architecture.config).from_dict(stated)
    config._attn_implementation = ATTENTION
    return config


def plain(model: Any) -> Any:
    """The same model. Of wav2vec2: weights in place of formulas for them (its weight norm), and no masking in training,
    which would draw from NumPy's global generator."""
    if hasattr(model.config, "apply_spec_augment"):
        model.config.apply_spec_augment = False
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return model
