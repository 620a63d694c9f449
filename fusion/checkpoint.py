"""A trained network as one safetensors file: weights, and as JSON metadata all that is needed to use them.

Metadata: `kind` and `schema` (what the file is), `config`, `tokenizer` (a tokenizers JSON), `labels`, `figures` (what
evaluation measured), `task` (what it was trained on; older files lack it). Matrices are stored as float16, vectors and
pretrained backbones as float32; there is no pickle in it. The configuration holds what rebuilds a pretrained encoder:
its directory is not needed again.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoder_choice import Compact, DeepSpeech
from edgefuse.fusion.errors import CheckpointError, PretrainedError
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.pretrained.architectures import backbone
from edgefuse.fusion.task_record import RECORD, TaskRecord
from edgefuse.fusion.tokenizer import fault_of_tokenizer

KIND = "edgefuse.fusion.checkpoint"
SCHEMA = "1"

Label = Annotated[str, Field(min_length=1)]
LABELS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Annotated[tuple[Label, ...], Field(min_length=1)])
FIGURES: TypeAdapter[dict[str, float]] = TypeAdapter(dict[str, FiniteFloat])


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
    """Raises `CheckpointError`, one line, for a file that is missing, damaged, of another kind or another version, or
    whose weights are not those of its configuration; `PretrainedError` where its encoders need a package that is not
    installed."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; expected a checkpoint written by edgefuse train")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            check_kind(path, metadata)
            return checkpoint_from_file(path, metadata, file)
    except (SafetensorError, OSError) as error:
        message = f"{path}: not a safetensors file ({error}); expected a checkpoint written by edgefuse train"
        raise CheckpointError(message) from error
    except ValidationError as error:
        raise CheckpointError(f"{path}: what it says of itself is not valid here: {faults_of(error)}") from error
    except CheckpointError:
        raise
    except PretrainedError as error:
        raise PretrainedError(f"{path}: {error}") from error
    except BaseException as error:  # tokenizers raises bare Exception, and panics with none; torch, many lines
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise CheckpointError(f"{path}: damaged checkpoint: {first_line(error)}") from error


def check_kind(path: Path, metadata: Mapping[str, str]) -> None:
    """Raises `CheckpointError` for a safetensors file of something else, before its weights are read."""
    if metadata.get("kind") != KIND:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of edgefuse train (kind {KIND})")
    if metadata.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{path}: checkpoint schema {metadata.get('schema')!r}, this version reads {SCHEMA!r}; train or export anew"
        )
    missing = [name for name in ("config", "tokenizer", "labels", "figures") if name not in metadata]
    if missing:
        raise CheckpointError(f"{path}: damaged checkpoint: it lacks {', '.join(missing)}")


def checkpoint_from_file(path: Path, metadata: Mapping[str, str], file: Any) -> Checkpoint:
    """Raises what pydantic, tokenizers and torch raise."""
    config = NetworkConfig.model_validate_json(metadata["config"])
    labels, figures = LABELS.validate_json(metadata["labels"]), FIGURES.validate_json(metadata["figures"])
    task = RECORD.validate_json(metadata["task"]) if "task" in metadata else None
    if len(set(labels)) < len(labels):
        raise CheckpointError(f"{path}: damaged checkpoint: a label stands twice")
    check_shapes(path, config, file)
    network = FusionNetwork(config)
    state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    check_finite(path, state)
    network.load_state_dict({name: one.float() if one.is_floating_point() else one for name, one in state.items()})
    tokenizer = Tokenizer.from_str(metadata["tokenizer"])
    check_tokenizer(path, tokenizer, network)
    return Checkpoint(network.eval(), tokenizer, labels, figures, config, task)


def check_tokenizer(path: Path, tokenizer: Tokenizer, network: FusionNetwork) -> None:
    """Raises `CheckpointError` for one whose ids the text encoder cannot take."""
    config = network.config
    compact = isinstance(config.text_encoder, Compact)
    size = config.vocabulary_size if compact else network.encoders["text"].backbone.config.vocab_size
    if (fault := fault_of_tokenizer(tokenizer, config.text_length, size)) is not None:
        raise CheckpointError(f"{path}: damaged checkpoint: its tokenizer {fault}")


def check_shapes(path: Path, config: NetworkConfig, file: Any) -> None:
    """Raises `CheckpointError` where the largest weights have other shapes than the configuration says, before memory
    is taken for what it says."""
    expected: dict[str, tuple[int, ...]] = {"fusion.kind": (len(config.modalities), config.dim)}
    if isinstance(config.text_encoder, Compact):
        expected["encoders.text.table"] = (config.vocabulary_size, config.dim)
    for sense in config.modalities:
        choice = getattr(config, f"{sense}_encoder")
        if not isinstance(choice, Compact | DeepSpeech):
            with torch.device("meta"):  # which has shapes and takes no memory
                shapes = backbone(choice).state_dict()
            expected |= {f"encoders.{sense}.backbone.{name}": tuple(one.shape) for name, one in shapes.items()}
    held = set(file.keys())
    for name, shape in expected.items():
        if name not in held or tuple(file.get_slice(name).get_shape()) != shape:
            raise CheckpointError(f"{path}: damaged checkpoint: its weights lack a {name} of {list(shape)}")


def check_finite(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Raises `CheckpointError` for weights that are NaN or infinite: whatever they say makes no sense."""
    for name, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(f"{path}: its weights {name} hold NaN or infinity; train again")


def faults_of(error: ValidationError) -> str:
    """The first fields that are not valid, and why the first is not."""
    fields = ", ".join(".".join(map(str, one["loc"])) or "content" for one in error.errors()[:5])
    return f"{fields} ({error.errors()[0]['msg']})"


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
