"""What `manifest.json` says of a bundle: its senses, its graphs, and how they were made and measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, model_validator

from edgefuse.runtime.bundle.verification import Precision, Strict, Verification
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS, check_wiring
from edgefuse.runtime.errors import BundleError, first_fault

SCHEMA_VERSION: Final = 1
MANIFEST_FILE = "manifest.json"

Dtype = Literal["uint8", "int64", "bool", "float16", "float32"]
Target = Literal["onnx", "tensorrt", "tensorrt-rtx"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TensorSpec(Strict):
    """One input or output of a graph; a named dimension ("batch") may take any size."""

    name: str
    dtype: Dtype
    shape: tuple[int | str, ...]


class EngineSpec(Strict):
    """One TensorRT engine, built ahead of time from a graph of the bundle, and all that decides whether it fits."""

    file: str
    target: Literal["tensorrt", "tensorrt-rtx"]
    version: str = Field(description="of the package that built it, which has to run it")
    compute_capability: str | None = Field(description='such as "8.9"; None: any from 8.0 on (tensorrt-rtx)')
    graph_sha256: Sha256 = Field(description="of the ONNX file that it was built from")
    profile: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = Field(
        description="by input: the smallest, the usual and the largest shape that it takes"
    )
    flags: tuple[str, ...] = Field((), description='what else it was built with, such as "no_tf32", sorted')
    inputs: tuple[TensorSpec, ...] = Field(description="as TensorRT reads the graph; a size that varies has a name")
    outputs: tuple[TensorSpec, ...]

    @property
    def key(self) -> str:
        """What the engine was built from and how, as 16 hexadecimal digits: engines of one key replace each other.

        The start of the sha256 of the deciding fields as JSON with sorted keys and without spaces.
        """
        fields = {"target", "version", "compute_capability", "graph_sha256", "profile", "flags"}
        deciding = self.model_dump(mode="json", include=fields)
        return hashlib.sha256(json.dumps(deciding, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


class GraphSpec(Strict):
    """One ONNX graph of the bundle, and the engines built from it."""

    file: str
    precision: Precision
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    engines: tuple[EngineSpec, ...] = ()


class _Modality(Strict):
    """What every sense has: an encoder graph `(batch, ...) -> tokens (batch, tokens, dim), embedding (batch, dim)`.

    A sense without one goes into the fusion graph as it was sensed. The name is any but fusion, present, prompts and
    percepts.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    graph: GraphSpec | None
    max_age_ms: float = Field(gt=0, description="older evidence of this sense is masked out of the fusion [ms]")


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
"""One sense of a bundle, of any kind: `kind` says which."""


class Provenance(Strict):
    """How the bundle was made, enough to make it again."""

    edgefuse: str
    command: str
    checkpoint_sha256: Sha256 | None = None
    packages: dict[str, str] = Field({}, description="versions of what made it")


class GoldenBound(Strict):
    """How near an output has to come to PyTorch's on the golden vectors: both are taken over each sample's values."""

    graph: str
    output: str
    cosine: float | None = Field(description="smallest cosine similarity; None for an output of one number per sample")
    difference: float | None = Field(description="largest absolute difference, where the cosine says nothing")


class Golden(Strict):
    """A few inputs of each graph with PyTorch's outputs, replayed when a bundle is loaded.

    The file is an npz without objects: `<graph>/inputs/<name>` and `<graph>/outputs/<name>`, each (samples, ...), but
    prompts (classes, dim).
    """

    file: str
    bounds: tuple[GoldenBound, ...]


class Manifest(Strict):
    """The whole of `manifest.json`.

    The fusion graph's inputs are, in the order of `modalities`, `<name>_tokens` and `<name>_embedding` of each sense
    that is encoded (those that the network uses) and `<name>` of each that is not, then `present` bool (batch,
    modalities) unless the network needs every sense, and `prompts` (classes, dim) unless its classes are fixed. Its
    outputs are `scores` (batch, classes), which sum to 1, and as far as the network has them `sense_scores` (batch,
    modalities, classes), `embedding` (batch, dim), `weights` (batch, modalities) and `agreement` (batch,).
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    target: Target = "onnx"
    dim: int | None = Field(gt=0, description="size of the space that embeddings and prompts share; None without one")
    modalities: tuple[Modality, ...] = Field(min_length=1)
    fusion: GraphSpec
    tokenizer: str | None = None
    labels: dict[str, str] = Field(min_length=1, description="class name -> the prompt that names it")
    background: str | None = Field(default=None, description="the label that means: nothing is perceived")
    golden: Golden | None = None
    report: str | None = Field(default=None, description="what export measured to choose each graph's precision")
    confidence: str | None = Field(default=None, description="how sure percepts really are")
    familiar: str | None = Field(default=None, description="what the senses usually meet")
    known_prompts: str | None = Field(default=None, description="the prompts that training gave")
    files: dict[str, Sha256]
    made: Provenance
    verified: Verification | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if self.background is not None and self.background not in self.labels:
            raise ValueError(f"background {self.background!r} is not one of the labels")
        for file in self._needed():
            if file not in self.files:
                raise ValueError(f"{file} has no checksum under files")
        for file in self.files:
            if Path(file).is_absolute() or ".." in Path(file).parts:
                raise ValueError(f"{file} lies outside the bundle")
        check_wiring(self)
        return self

    def _needed(self) -> list[str]:
        """The files that the manifest speaks of."""
        graphs = self.graphs.values()
        golden = self.golden.file if self.golden else None
        single = (self.tokenizer, self.report, golden, self.confidence, self.familiar, self.known_prompts)
        engines = [engine.file for graph in graphs for engine in graph.engines]
        return [graph.file for graph in graphs] + engines + [file for file in single if file is not None]

    @property
    def graphs(self) -> dict[str, GraphSpec]:
        """Every graph by name: one per sense that is encoded, then `fusion`."""
        return {m.name: m.graph for m in self.modalities if m.graph is not None} | {"fusion": self.fusion}

    @property
    def needed(self) -> tuple[str, ...]:
        """The senses that no percept can do without: all, unless the fusion graph can be told who is present."""
        can_be_told = any(tensor.name == PRESENT for tensor in self.fusion.inputs)
        return () if can_be_told else tuple(modality.name for modality in self.modalities)

    @property
    def naming(self) -> TextModality | None:
        """The sense that encodes prompts; None where the classes are fixed."""
        if all(tensor.name != PROMPTS for tensor in self.fusion.inputs):
            return None
        return next((m for m in self.modalities if m.kind == "text" and m.graph is not None), None)

    def modality(self, name: str) -> Modality:
        """The sense of that name; BundleError names the ones there are."""
        for modality in self.modalities:
            if modality.name == name:
                return modality
        names = ", ".join(modality.name for modality in self.modalities)
        raise BundleError(f"no modality {name!r} in bundle {self.name!r}; it has {names}")

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
    if first["loc"] == ("schema_version",):
        return (
            f"{path}: schema version {first['input']!r} is not known here, expected {SCHEMA_VERSION}; "
            "export the bundle again or upgrade edgefuse"
        )
    return f"{path}: {first_fault(error)}"
