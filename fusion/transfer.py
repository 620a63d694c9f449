"""The start of transfer learning: a network whose encoders are pretrained where a directory was named."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import PretrainedImage
from edgefuse.fusion.errors import PretrainedError
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.pretrained.directory import Sense, read_pretrained
from edgefuse.fusion.tokenizer import fix_length


@dataclass(frozen=True, slots=True)
class EncoderDirectories:
    """Where each sense's pretrained encoder lies; None: the compact one."""

    image: Path | None = None
    audio: Path | None = None
    text: Path | None = None


COMPACT = EncoderDirectories()
"""Every encoder the compact one, from the start."""


def start_network(
    config: NetworkConfig, directories: EncoderDirectories, tokenizer: Tokenizer
) -> tuple[FusionNetwork, Tokenizer]:
    """The network of `config` with these encoders in place of its own, and the tokenizer that its texts are read with:
    a text encoder's, else `tokenizer`.

    Raises `PretrainedError`, one line, for a directory that will not do.
    """
    named: dict[Sense, Path | None] = {"image": directories.image, "audio": directories.audio, "text": directories.text}
    parts = {sense: read_pretrained(path, sense) for sense, path in named.items() if path is not None}
    chosen: dict[str, object] = {f"{sense}_encoder": part.choice for sense, part in parts.items()}
    for part in parts.values():
        if isinstance(part.choice, PretrainedImage):
            chosen["image_size"] = part.choice.size
    network = FusionNetwork(config.model_copy(update=chosen))
    for sense, part in parts.items():
        network.encoders[sense].backbone = part.backbone
    theirs = parts["text"].tokenizer if "text" in parts else None
    if theirs is None:
        return network, tokenizer
    return network, fit_tokenizer(theirs, parts["text"].backbone.config.max_position_embeddings, config.text_length)


def fit_tokenizer(tokenizer: Tokenizer, places: int, length: int) -> Tokenizer:
    """The tokenizer of a text encoder with so many places, set so that every text becomes exactly `length` ids."""
    if places < length:
        raise PretrainedError(f"the text encoder has places for {places} token ids; texts here have {length}")
    fix_length(tokenizer, length)
    return tokenizer
