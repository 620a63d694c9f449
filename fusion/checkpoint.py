"""A trained network as one safetensors file: weights, and as JSON metadata all that is needed to use them.

Metadata: `kind` and `schema` (what the file is), `config`, `tokenizer` (a tokenizers JSON), `labels`, `figures` (what
evaluation measured), `task` (what it was trained on; older files lack it). Matrices are stored as float16, vectors and
pretrained backbones as float32; there is no pickle in it. The configuration holds what rebuilds a pretrained encoder:
its directory is not needed again.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import Compact, DeepSpeech
from edgefuse.fusion.errors import CheckpointError, PretrainedError
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.task_record import RECORD, TaskRecord

KIND = "edgefuse.fusion.checkpoint"
SCHEMA = "1"

LABELS: TypeAdapter[tuple[str, ...]] = TypeAdapter(
    Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
)
FIGURES: TypeAdapter[dict[str, float]] = TypeAdapter(dict[str, float])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """network: in eval mode, float32, on the CPU; labels: classes in the order of the scores; figures: what evaluation
    measured; task: what it was trained on, None where nobody recorded it."""

    network: FusionNetwork
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    figures: dict[str, float]
    config: NetworkConfig
    task: TaskRecord | None = None


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Writes beside `path` and renames, so that a killed process leaves no half file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "kind": KIND,
        "schema": SCHEMA,
        "config": checkpoint.network.config.model_dump_json(),
        "tokenizer": checkpoint.tokenizer.to_str(),
        "labels": json.dumps(list(checkpoint.labels)),
        "figures": json.dumps(checkpoint.figures),
    }
    if checkpoint.task is not None:
        metadata["task"] = checkpoint.task.model_dump_json()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(tensors_from_network(checkpoint.network), beside, metadata)
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def tensors_from_network(network: FusionNetwork) -> dict[str, torch.Tensor]:
    """The state as it is written: matrices float16, vectors float32, pretrained backbones to the bit."""

    def half(name: str, value: torch.Tensor) -> bool:
        return value.is_floating_point() and value.ndim > 1 and ".backbone." not in name

    return {
        name: (value.half() if half(name, value) else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Raises `CheckpointError`, one line, for a file that is missing, damaged, of another kind or another version;
    `PretrainedError` where its encoders need a package that is not installed."""
    metadata, state = read(Path(path))
    if metadata.get("kind") != KIND:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of edgefuse train (kind {KIND})")
    if metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{path}: checkpoint schema {metadata.get('schema')!r}, this version reads {SCHEMA!r}; train or export anew"
        )
    try:
        config = NetworkConfig.model_validate_json(metadata["config"])
        check_sizes(config, state)
        network = FusionNetwork(config)
        network.load_state_dict(state)
        tokenizer = Tokenizer.from_str(metadata["tokenizer"])
        labels = LABELS.validate_json(metadata["labels"])
        figures = FIGURES.validate_json(metadata["figures"])
        task = RECORD.validate_json(metadata["task"]) if "task" in metadata else None
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) or one["msg"] for one in error.errors()[:5])
        what = "its network configuration, labels, figures or task is not valid here"
        raise CheckpointError(f"{path}: {what} ({fields})") from error
    except PretrainedError as error:
        raise PretrainedError(f"{path}: {error}") from error
    except Exception as error:  # tokenizers raises bare Exception; torch RuntimeError with many lines
        raise CheckpointError(f"{path}: damaged checkpoint: {str(error).splitlines()[0]}") from error
    return Checkpoint(network.eval(), tokenizer, labels, figures, config, task)


def check_sizes(config: NetworkConfig, state: dict[str, torch.Tensor]) -> None:
    """Raises ValueError where no weight has a size that the configuration says, before memory is taken for it."""
    there = {size for value in state.values() for size in value.shape}
    said: dict[str, tuple[int, ...]] = {"dim": (config.dim,)}
    if isinstance(config.image_encoder, Compact):
        said["image_channels"] = config.image_channels
    if isinstance(config.audio_encoder, Compact):
        said["audio_channels"] = config.audio_channels
    elif isinstance(config.audio_encoder, DeepSpeech):
        said["width"] = (config.audio_encoder.width,)
    if isinstance(config.text_encoder, Compact):
        said["vocabulary_size"] = (config.vocabulary_size,)
    for name, sizes in said.items():
        if missing := set(sizes) - there:
            raise ValueError(f"its configuration says {name} {min(missing)}, and no weight of it is of that size")


def read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and float32 tensors of a safetensors file."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; expected a checkpoint written by edgefuse train")
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return file.metadata() or {}, {
                name: value.float() if value.is_floating_point() else value for name, value in state.items()
            }
    except (SafetensorError, OSError) as error:
        message = f"{path}: not a safetensors file ({error}); expected a checkpoint written by edgefuse train"
        raise CheckpointError(message) from error
