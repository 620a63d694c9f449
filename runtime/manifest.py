"""What `manifest.json` says of a bundle: its senses, its graphs, and how they were made and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgefuse.runtime.errors import BundleError

SCHEMA_VERSION: Final = 1
MANIFEST_FILE = "manifest.json"

Dtype = Literal["uint8", "int64", "bool", "float16", "float32"]
Precision = Literal["fp32", "fp16", "int8"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TensorSpec(_Strict):
    """One input or output of a graph; a named dimension ("batch") may take any size."""

    name: str
    dtype: Dtype
    shape: tuple[int | str, ...]


class GraphSpec(_Strict):
    """One ONNX graph of the bundle."""

    file: str
    precision: Precision
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class _Modality(_Strict):
    """What every sense has: an encoder graph `(batch, ...) -> tokens (batch, tokens, dim), embedding (batch, dim)`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    graph: GraphSpec
    max_age_ms: float = Field(gt=0, description="older evidence of this sense is masked out of the fusion [ms]")

    @property
    def tokens(self) -> int:
        """How many tokens one encoding gives."""
        return int(self.graph.outputs[0].shape[1])


class ImageModality(_Modality):
    """Frames, uint8 RGB (batch, height, width, 3); any size, the graph resizes."""

    kind: Literal["image"] = "image"


class AudioModality(_Modality):
    """Mono float32 PCM in -1..1, (batch, window_samples): the newest window, encoded anew every hop."""

    kind: Literal["audio"] = "audio"
    rate_hz: int = Field(gt=0)
    window_samples: int = Field(gt=0)
    hop_samples: int = Field(gt=0)


class TextModality(_Modality):
    """Token ids int64 (batch, length) by the bundle's tokenizer, 0 is padding."""

    kind: Literal["text"] = "text"
    max_tokens: int = Field(gt=0)


class SignalModality(_Modality):
    """A fixed-rate vector series, float32 (batch, window_samples, channels): touch, IMU, force."""

    kind: Literal["signal"] = "signal"
    rate_hz: float = Field(gt=0)
    window_samples: int = Field(gt=0)
    hop_samples: int = Field(gt=0)
    channels: int = Field(gt=0)


Modality = Annotated[ImageModality | AudioModality | TextModality | SignalModality, Field(discriminator="kind")]


class Provenance(_Strict):
    """How the bundle was made, enough to make it again."""

    edgefuse: str
    command: str
    checkpoint_sha256: Sha256 | None = None
    packages: dict[str, str] = {}


class GraphCheck(_Strict):
    """One row of `edgefuse verify`: an output of a graph, or of the whole chain ("end to end"), against PyTorch.

    Cosines are taken per sample over the flattened output; None for an output of one number per sample. A bound of None
    is not enforced.
    """

    graph: str
    output: str
    precision: Precision
    samples: int
    cosine_p1: float | None = Field(description="1st percentile of the samples' cosine similarities")
    cosine_min: float | None
    max_abs_difference: float
    cosine_bound: float | None = Field(description="smallest cosine_p1 that is accepted")
    difference_bound: float | None = Field(description="largest max_abs_difference that is accepted")

    @property
    def failure(self) -> str | None:
        """What is wrong with the row, in one line; None when it is within its bounds."""
        name = f"{self.graph}, {self.output} ({self.precision})"
        if self.cosine_bound is not None and not (self.cosine_p1 or 0.0) >= self.cosine_bound:
            return f"{name}: cosine similarity at the 1st percentile is {self.cosine_p1:.5f}, below {self.cosine_bound}"
        if self.difference_bound is not None and not self.max_abs_difference <= self.difference_bound:
            return f"{name}: largest difference is {self.max_abs_difference:.2g}, above {self.difference_bound}"
        return None


class AccuracyCheck(_Strict):
    """One row of `edgefuse verify`: task accuracy of a subset of senses, PyTorch beside the bundle [0..1]."""

    senses: tuple[str, ...]
    samples: int
    checkpoint: float
    bundle: float
    loss_bound: float = Field(description="largest loss against the checkpoint that is accepted")

    @property
    def failure(self) -> str | None:
        """What is wrong with the row, in one line; None when it is within its bound."""
        loss = self.checkpoint - self.bundle
        if loss <= self.loss_bound + 1e-9:
            return None
        return (
            f"accuracy with {' + '.join(self.senses)}: {self.bundle:.1%} against {self.checkpoint:.1%} in PyTorch, "
            f"a loss of more than {self.loss_bound:.1%}"
        )


class Verification(_Strict):
    """What verify measured when the bundle was made."""

    graphs: tuple[GraphCheck, ...]
    accuracy: tuple[AccuracyCheck, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each row that breaks its bound."""
        rows: tuple[GraphCheck | AccuracyCheck, ...] = (*self.graphs, *self.accuracy)
        return tuple(row.failure for row in rows if row.failure is not None)


class Manifest(_Strict):
    """The whole of `manifest.json`.

    The fusion graph's inputs are, in the order of `modalities`, `<name>_tokens` and `<name>_embedding` of each, then
    `present` (batch, modalities) and `prompts` (classes, dim); its outputs `scores` (batch, classes), `sense_scores`
    (batch, modalities, classes), `embedding` (batch, dim), `weights` (batch, modalities) and `agreement` (batch,).
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    dim: int = Field(gt=0, description="size of a token and of an embedding")
    modalities: tuple[Modality, ...] = Field(min_length=1)
    fusion: GraphSpec
    tokenizer: str | None = None
    labels: dict[str, str] = Field(min_length=1, description="class name -> the prompt that names it")
    background: str | None = Field(default=None, description="the label that means: nothing is perceived")
    files: dict[str, Sha256]
    made: Provenance
    verified: Verification | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        names = [m.name for m in self.modalities]
        if len(set(names)) != len(names):
            raise ValueError(f"modalities have the same name twice: {', '.join(names)}")
        if self.background is not None and self.background not in self.labels:
            raise ValueError(f"background {self.background!r} is not one of the labels")
        needed = [graph.file for graph in self.graphs.values()] + ([self.tokenizer] if self.tokenizer else [])
        for file in needed:
            if file not in self.files:
                raise ValueError(f"{file} has no checksum under files")
        for file in self.files:
            if Path(file).is_absolute() or ".." in Path(file).parts:
                raise ValueError(f"{file} lies outside the bundle")
        return self

    @property
    def graphs(self) -> dict[str, GraphSpec]:
        """Every graph by name: one per sense, then `fusion`."""
        return {m.name: m.graph for m in self.modalities} | {"fusion": self.fusion}

    def modality(self, name: str) -> ImageModality | AudioModality | TextModality | SignalModality:
        """The sense of that name; BundleError names the ones there are."""
        for modality in self.modalities:
            if modality.name == name:
                return modality
        raise BundleError(f"no modality {name!r} in bundle {self.name!r}; it has {', '.join(self.graphs)}")

    def write(self, directory: Path) -> None:
        """Write `manifest.json` into `directory`."""
        (directory / MANIFEST_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the bundle in `directory`; BundleError names the file, the field and what was expected."""
    path = directory / MANIFEST_FILE
    if not path.is_file():
        raise BundleError(f"{directory} is no bundle: it has no {MANIFEST_FILE}; make one with `edgefuse export`")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BundleError(_one_line(path, error)) from error


def _one_line(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if field == "schema_version":
        return (
            f"{path}: schema version {first['input']!r} is not known here, expected {SCHEMA_VERSION}; "
            "export the bundle again or upgrade edgefuse"
        )
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {field or 'content'}: {first['msg']}{more}"
