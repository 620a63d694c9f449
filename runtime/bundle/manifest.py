"""What `manifest.json` says of a bundle: its senses, its graphs, and how they were made and measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import FailFast, Field, ValidationError, model_validator

from edgefuse.runtime.bundle.fields import (
    LONGEST_AGE_MS,
    MOST_DIMENSIONS,
    MOST_FILES,
    MOST_LABELS,
    MOST_ROWS,
    MOST_SENSES,
    MOST_WINDOW,
    Cosine,
    Count,
    Difference,
    File,
    Line,
    Name,
    Samples,
    Sha256,
    Shape,
    Size,
)
from edgefuse.runtime.bundle.seal import UNSEALED, check_seal, sealed
from edgefuse.runtime.bundle.unsealed import is_unsealed, sealed_from
from edgefuse.runtime.bundle.verification import Precision, Strict, Verification
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS, check_wiring
from edgefuse.runtime.errors import BundleError, FileError, first_fault
from edgefuse.runtime.files.documents import parse_json, read_text
from edgefuse.runtime.files.limits import MANIFEST_BYTES
from edgefuse.runtime.files.whole_file import write_whole

SCHEMA_VERSION: Final = 1
MANIFEST_FILE = "manifest.json"

Dtype = Literal["uint8", "int64", "bool", "float16", "float32"]
Target = Literal["onnx", "tensorrt", "tensorrt-rtx"]
Tensors = Annotated[tuple["TensorSpec", ...], FailFast(), Field(max_length=4 * MOST_SENSES)]
Sizes = Annotated[tuple[Size, ...], FailFast(), Field(max_length=MOST_DIMENSIONS)]


class FileSpec(Strict):
    """One file of the bundle: how long it is, and what is in it."""

    bytes: Count
    sha256: Sha256


class TensorSpec(Strict):
    """One input or output of a graph; a named dimension ("batch") may take any size."""

    name: Name
    dtype: Dtype
    shape: Shape


class EngineSpec(Strict):
    """One TensorRT engine, built ahead of time from a graph of the bundle, and all that decides whether it fits."""

    file: File
    target: Literal["tensorrt", "tensorrt-rtx"]
    version: Name = Field(description="of the package that built it, which has to run it")
    compute_capability: Name | None = Field(description='such as "8.9"; None: any from 8.0 on (tensorrt-rtx)')
    graph_sha256: Sha256 = Field(description="of the ONNX file that it was built from")
    profile: dict[Name, tuple[Sizes, Sizes, Sizes]] = Field(
        max_length=4 * MOST_SENSES, description="by input: the smallest, the usual and the largest shape that it takes"
    )
    flags: Annotated[tuple[Name, ...], FailFast()] = Field(
        (), max_length=100, description='what else it was built with, such as "no_tf32", sorted'
    )
    inputs: Tensors = Field(description="as TensorRT reads the graph; a size that varies has a name")
    outputs: Tensors

    @model_validator(mode="after")
    def _rising(self) -> EngineSpec:
        for name, shapes in self.profile.items():
            rise = all(low <= usual <= high for low, usual, high in zip(*shapes, strict=False))
            if not rise or len({len(shape) for shape in shapes}) != 1:
                raise ValueError(f"profile: the sizes of {name} should rise, of as many dimensions, but are {shapes}")
        return self

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

    file: File
    precision: Precision
    inputs: Tensors
    outputs: Tensors
    engines: Annotated[tuple[EngineSpec, ...], FailFast()] = Field((), max_length=100)


class _Modality(Strict):
    """What every sense has: an encoder graph `(batch, ...) -> tokens (batch, tokens, dim), embedding (batch, dim)`.

    A sense without one goes into the fusion graph as it was sensed. The name is any but fusion, present, prompts and
    percepts.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)
    graph: GraphSpec | None
    max_age_ms: float = Field(
        ge=1, le=LONGEST_AGE_MS, description="older evidence of this sense is masked out of the fusion [ms]"
    )


class _Windowed(_Modality):
    """A sense that is encoded as a window of its newest samples, anew every hop."""

    rate_hz: float
    window_samples: Samples
    hop_samples: Samples

    @model_validator(mode="after")
    def _sound(self) -> _Windowed:
        """A sample that no window holds is never sensed, and evidence has to last until there is new one."""
        if self.hop_samples > self.window_samples:
            raise ValueError(f"a hop of {self.hop_samples} samples is more than the window, {self.window_samples}")
        window_ms, hop_ms = (1000 * samples / self.rate_hz for samples in (self.window_samples, self.hop_samples))
        if window_ms > LONGEST_AGE_MS:
            raise ValueError(f"a window of {self.window_samples} samples at {self.rate_hz:g} Hz is more than a day")
        if self.max_age_ms < hop_ms:
            raise ValueError(f"max_age_ms is {self.max_age_ms:g}, less than a hop takes, {hop_ms:g} ms")
        return self


class ImageModality(_Modality):
    """Frames, uint8 RGB (batch, height, width, 3); any size, the graph resizes."""

    kind: Literal["image"] = "image"


class AudioModality(_Windowed):
    """Mono float32 PCM in -1..1, (batch, window_samples)."""

    kind: Literal["audio"] = "audio"
    rate_hz: int = Field(ge=1_000, le=384_000)


class TextModality(_Modality):
    """Token ids int64 (batch, length) by the bundle's tokenizer, 0 is padding."""

    kind: Literal["text"] = "text"
    max_tokens: int = Field(ge=1, le=100_000)


class SignalModality(_Windowed):
    """A fixed-rate vector series, float32 (batch, window_samples, channels): touch, IMU, force."""

    kind: Literal["signal"] = "signal"
    rate_hz: float = Field(ge=0.001, le=1e6)
    channels: int = Field(ge=1, le=100_000)

    @model_validator(mode="after")
    def _fits_memory(self) -> SignalModality:
        if self.window_samples * self.channels > MOST_WINDOW:
            raise ValueError(f"a window of {self.window_samples} x {self.channels} values is more than {MOST_WINDOW:,}")
        return self


Modality = Annotated[ImageModality | AudioModality | TextModality | SignalModality, Field(discriminator="kind")]
"""One sense of a bundle, of any kind: `kind` says which."""


class Provenance(Strict):
    """How the bundle was made, enough to make it again."""

    edgefuse: Name
    command: Line
    checkpoint_sha256: Sha256 | None = None
    packages: dict[Name, Name] = Field({}, max_length=MOST_FILES, description="versions of what made it")


class GoldenBound(Strict):
    """How near an output has to come to PyTorch's on the golden vectors: both are taken over each sample's values."""

    graph: Name
    output: Name
    cosine: Cosine | None = Field(description="smallest cosine similarity; None for an output of one number per sample")
    difference: Difference | None = Field(description="largest absolute difference, where the cosine says nothing")

    @model_validator(mode="after")
    def _bounding(self) -> GoldenBound:
        if self.cosine is None and self.difference is None:
            raise ValueError(f"bounds nothing of {self.graph}, {self.output}")
        return self


class Golden(Strict):
    """A few inputs of each graph with PyTorch's outputs, replayed when a bundle is loaded.

    The file is an npz without objects: `<graph>/inputs/<name>` and `<graph>/outputs/<name>`, each (samples, ...), but
    prompts (classes, dim).
    """

    file: File
    bounds: Annotated[tuple[GoldenBound, ...], FailFast()] = Field(min_length=1, max_length=MOST_ROWS)


class Manifest(Strict):
    """The whole of `manifest.json`.

    The fusion graph's inputs are, in the order of `modalities`, `<name>_tokens` and `<name>_embedding` of each sense
    that is encoded (those that the network uses) and `<name>` of each that is not, then `present` bool (batch,
    modalities) unless the network needs every sense, and `prompts` (classes, dim) unless its classes are fixed. Its
    outputs are `scores` (batch, classes), which sum to 1, and as far as the network has them `sense_scores` (batch,
    modalities, classes), `embedding` (batch, dim), `weights` (batch, modalities) and `agreement` (batch,).
    """

    sha256: Sha256 = Field(UNSEALED, description="of this file itself, with 64 zeros in the place of these digits")
    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    target: Target = "onnx"
    dim: Size | None = Field(description="size of the space that embeddings and prompts share; None without one")
    modalities: Annotated[tuple[Modality, ...], FailFast()] = Field(min_length=1, max_length=MOST_SENSES)
    fusion: GraphSpec
    tokenizer: File | None = None
    labels: dict[Name, Line] = Field(
        min_length=1, max_length=MOST_LABELS, description="class name -> the prompt that names it"
    )
    background: Name | None = Field(default=None, description="the label that means: nothing is perceived")
    golden: Golden | None = None
    report: File | None = Field(default=None, description="what export measured to choose each graph's precision")
    confidence: File | None = Field(default=None, description="how sure percepts really are")
    familiar: File | None = Field(default=None, description="what the senses usually meet")
    known_prompts: File | None = Field(default=None, description="the prompts that training gave")
    files: dict[File, FileSpec] = Field(max_length=MOST_FILES)
    made: Provenance
    verified: Verification | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if self.background is not None and self.background not in self.labels:
            raise ValueError(f"background {self.background!r} is not one of the labels")
        for file in self._needed():
            if file not in self.files:
                raise ValueError(f"{file} has no checksum under files")
        if self.verified is not None and (senseless := self.verified.senseless) is not None:
            raise ValueError(f"verified: {senseless}")
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

    def write(self, directory: Path) -> Manifest:
        """Write `manifest.json` into `directory`, whole and sealed, and return what it holds.

        Raises BundleError for what `read_manifest` would refuse, and OSError.
        """
        path, unsealed = directory / MANIFEST_FILE, self.model_copy(update={"sha256": UNSEALED})
        content = sealed(unsealed.model_dump_json(indent=2) + "\n")
        manifest = _manifest_from(content, path)
        write_whole(path, content.encode())
        return manifest


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the bundle in `directory`; BundleError names the file, the field and what was expected."""
    path = directory / MANIFEST_FILE
    try:
        return _manifest_from(read_text(path, MANIFEST_BYTES), path)
    except FileError as error:
        missing = f"{directory} is no bundle: it has no {MANIFEST_FILE}; make one with `edgefuse export`"
        raise BundleError(missing if isinstance(error.__cause__, FileNotFoundError) else str(error)) from error


def _manifest_from(text: str, path: Path) -> Manifest:
    document = parse_json(text, str(path))
    if isinstance(document, dict) and document.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise BundleError(
            f"{path}: schema version {repr(document['schema_version'])[:60]} is not known here, expected "
            f"{SCHEMA_VERSION}; export the bundle again or upgrade edgefuse"
        )
    if is_unsealed(document):
        text = sealed_from(document, path)
    else:
        check_seal(text, document, path)
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise BundleError(f"{path}: {first_fault(error)}") from error
