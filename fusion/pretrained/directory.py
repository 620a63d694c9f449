"""An encoder read from a local directory as `save_pretrained` writes it: config.json and safetensors, never the hub."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from tokenizers import Tokenizer

from edgefuse.fusion.config import PADDING_ID
from edgefuse.fusion.encoder_choice import Means, Pretrained, PretrainedAudio, PretrainedImage, PretrainedText
from edgefuse.fusion.errors import PretrainedError
from edgefuse.fusion.pretrained.architectures import (
    ARCHITECTURES,
    ATTENTION,
    NOT_THE_MODEL,
    Architecture,
    class_of,
    configuration,
    plain,
    transformers,
)
from edgefuse.fusion.pretrained.features import SAMPLE_RATE_HZ
from edgefuse.fusion.pretrained.outline import held_in, outline

Sense = Literal["image", "audio", "text"]

IMAGENET: tuple[Means, Means] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES: tuple[Means, Means] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and deviation where the directory has no preprocessor_config.json: a ResNet's, a ViT's."""
RESNET_SIZE = 224
MOST_BYTES = 16_000_000
"""Of a configuration; one with the names of 20,000 classes has two million."""
UNUSED = ("masked_spec_embed",)
"""Weights that only pretraining needs."""


@dataclass(frozen=True, slots=True)
class PretrainedParts:
    """choice: from which the encoder is rebuilt; backbone: its nn.Module with the directory's weights, float32;
    tokenizer: of a text encoder, whose padding is 0."""

    choice: Pretrained
    backbone: Any
    tokenizer: Tokenizer | None


def read_pretrained(directory: str | Path, sense: Sense) -> PretrainedParts:
    """Raises `PretrainedError`, one line, for a directory that does not hold an encoder of that sense whole."""
    directory = Path(directory)
    if not directory.is_dir():
        raise PretrainedError(f"{directory}: no such directory; expected one with config.json and model.safetensors")
    content = read_json(directory / "config.json")
    name = content.get("model_type")
    fitting = [known for known, one in ARCHITECTURES.items() if one.sense == sense]
    if name not in fitting:
        raise PretrainedError(f"{directory}: its model_type is {name!r}; for {sense} it must be {' or '.join(fitting)}")
    architecture = ARCHITECTURES[name]
    backbone, model = read_model(directory, architecture, content)
    choice = read_choice(directory, name, sense, model)
    return PretrainedParts(choice, backbone, read_tokenizer(directory, model) if sense == "text" else None)


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of an object holds; raises `PretrainedError`, one line."""
    try:
        if not path.is_file():
            raise PretrainedError(f"{path}: no such file; expected a directory that save_pretrained has written")
        if path.stat().st_size > MOST_BYTES:
            raise PretrainedError(f"{path}: more than {MOST_BYTES:,} bytes are no configuration")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise PretrainedError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # of no JSON, no UTF-8, a number too long; nested too deeply
        raise PretrainedError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise PretrainedError(f"{path}: expected a JSON object")
    return content


def read_model(directory: Path, architecture: Architecture, content: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The encoder, and its configuration as JSON. Memory is taken for no more weights than its files hold."""
    package, model = transformers(), class_of(architecture)
    held = held_in(weights_in(directory))
    try:
        with quiet(package):
            config = configuration(architecture, content)
            outline(lambda: model(config, **architecture.options), held)
            encoder, found = model.from_pretrained(
                str(directory), config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32,
                key_mapping=architecture.beginning and {architecture.beginning: ""}, ignore_mismatched_sizes=True,
                attn_implementation=ATTENTION, output_loading_info=True, **architecture.options,
            )  # fmt: skip
    except PretrainedError as error:
        raise PretrainedError(f"{directory}: {error}") from error
    except Exception as error:  # transformers, safetensors and torch raise what they like
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise PretrainedError(f"{directory}: transformers cannot read its weights: {reason}") from error
    check_found(directory, encoder, found)
    content = json.loads(encoder.config.to_json_string(use_diff=False))
    return plain(encoder), {key: content[key] for key in content if key not in NOT_THE_MODEL}


def weights_in(directory: Path) -> list[Path]:
    """The safetensors file, or those that its index names; raises `PretrainedError` for an index of something else."""
    whole, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if whole.exists() or not index.exists():
        return [whole]
    places = read_json(index).get("weight_map")
    names = set(places.values()) if isinstance(places, dict) and all(map(is_file_name, places.values())) else set()
    if not names:
        raise PretrainedError(f"{index}: expected a weight_map that names the files beside it")
    return [directory / name for name in sorted(names)]


def is_file_name(value: object) -> bool:
    """Of safetensors, in no other folder."""
    return isinstance(value, str) and value == Path(value).name and value.endswith(".safetensors") and "\0" not in value


def check_found(directory: Path, model: Any, found: dict[str, Any]) -> None:
    """Raises `PretrainedError` for weights that are missing, of another shape than the configuration says, or NaN."""
    for name, shape, expected in sorted(found["mismatched_keys"]):
        raise PretrainedError(
            f"{directory}: its configuration says that {name} is {list(expected)}; its safetensors hold {list(shape)}"
        )
    missing = sorted(name for name in found["missing_keys"] if not name.endswith(UNUSED))
    if missing:
        raise PretrainedError(f"{directory}: its safetensors lack {len(missing)} weights, such as {missing[0]}")
    odd = [name for name, value in model.state_dict().items() if not torch.isfinite(value).all()]
    if odd:
        raise PretrainedError(f"{directory}: {len(odd)} of its weights hold NaN or infinity, such as {odd[0]}")


@contextmanager
def quiet(package: Any) -> Iterator[None]:
    """transformers' own progress and report of what it loaded kept from the terminal."""
    logging = package.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def read_choice(directory: Path, architecture: str, sense: Sense, model: dict[str, Any]) -> Pretrained:
    """What rebuilds the encoder, with its features' numbers from preprocessor_config.json if there is one."""
    path = directory / "preprocessor_config.json"
    given = read_json(path) if path.is_file() else {}
    try:
        if sense == "image":
            mean, deviation = IMAGENET if architecture == "resnet" else HALVES
            return PretrainedImage.model_validate({
                "architecture": architecture,
                "model": model,
                "size": image_size(given, model, architecture),
                "mean": given.get("image_mean", mean),
                "deviation": given.get("image_std", deviation),
            })  # fmt: skip
        if sense == "text":
            return PretrainedText.model_validate({"architecture": architecture, "model": model})
        rate = given.get("sampling_rate", SAMPLE_RATE_HZ)
        if rate != SAMPLE_RATE_HZ:
            raise PretrainedError(f"{path}: it hears {rate} Hz; the sound is sampled at {SAMPLE_RATE_HZ} Hz here")
        numbers = {"mean": given.get("mean"), "deviation": given.get("std"), "normalized": given.get("do_normalize")}
        stated = {key: value for key, value in numbers.items() if value is not None and architecture != "whisper"}
        return PretrainedAudio.model_validate({"architecture": architecture, "model": model, **stated})
    except ValidationError as error:
        fields = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        raise PretrainedError(f"{path}: what it says of {fields} is not valid") from error


def image_size(given: dict[str, Any], model: dict[str, Any], architecture: str) -> Any:
    """(rows, columns): a ViT's is fixed by its places; a ResNet's as its preprocessor crops, else 224 x 224."""
    if architecture == "vit":
        size = model["image_size"]
    else:
        size = given.get("crop_size") if given.get("do_center_crop") else given.get("size")
    if isinstance(size, dict):
        edge = size.get("shortest_edge", RESNET_SIZE)
        return size.get("height", edge), size.get("width", edge)
    return tuple(size) if isinstance(size, list | tuple) else (size or RESNET_SIZE,) * 2


def read_tokenizer(directory: Path, model: dict[str, Any]) -> Tokenizer:
    """The directory's tokenizer.json; its padding and truncation are set by who uses it."""
    path = directory / "tokenizer.json"
    if not path.is_file():
        raise PretrainedError(
            f"{path}: no such file; a text encoder needs its own tokenizer (AutoTokenizer's save_pretrained writes it)"
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise PretrainedError(
            f"{path}: not a tokenizer ({next(iter(str(error).splitlines()), type(error).__name__)})"
        ) from error
    if tokenizer.get_vocab_size() > model["vocab_size"]:
        size = tokenizer.get_vocab_size()
        raise PretrainedError(f"{path}: {size} tokens, more than the encoder's {model['vocab_size']}; another model's?")
    if model.get("pad_token_id") not in (None, PADDING_ID):
        raise PretrainedError(f"{directory}: it pads with token {model['pad_token_id']}; expected {PADDING_ID}")
    return tokenizer
