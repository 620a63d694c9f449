"""What the manifest says of a network: its senses, labels and graphs, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec
from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.bundle.manifest import MANIFEST_FILE, FileSpec, GraphSpec, Manifest, Provenance

TOKENIZER_FILE = "tokenizer.json"

MADE_WITH = ("torch", "onnx", "onnxscript", "onnxruntime")


def manifest_from_graphs(
    spec: FusionSpec, graphs: Mapping[str, GraphSpec], directory: Path, made: Provenance
) -> Manifest:
    """The manifest of graphs that lie in a directory, with the checksums of all that is there. Nothing is verified yet.

    Raises ExportError, in one line, where they do not fit together.
    """
    try:
        return Manifest(
            name=spec.name,
            dim=prompt_size(graphs["fusion"]),
            modalities=tuple(
                modality.described.model_copy(update={"graph": graphs.get(modality.name)})
                for modality in spec.modalities
            ),
            fusion=graphs["fusion"],
            tokenizer=TOKENIZER_FILE if spec.tokenizer is not None else None,
            labels=dict(spec.labels),
            background=spec.background,
            files=files_of(directory),
            made=made,
        )
    except ValueError as error:  # pydantic's, which has many lines
        raise ExportError(f"{spec.name} makes no bundle: {_message(error)}") from error


def prompt_size(fusion: GraphSpec) -> int | None:
    """The size of the space that embeddings and prompts share; None where there are no prompts."""
    sizes = [tensor.shape[1] for tensor in fusion.inputs if tensor.name == "prompts"]
    return next((size for size in sizes if isinstance(size, int)), None)


def files_of(directory: Path) -> dict[str, FileSpec]:
    """What the manifest keeps of every file in the bundle's directory but the manifest, by its path in there."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != MANIFEST_FILE)
    return {path.relative_to(directory).as_posix(): described(path) for path in files}


def provenance(spec: FusionSpec, command: str) -> Provenance:
    """What it takes to make the bundle again."""
    return Provenance(
        edgefuse=version("edgefuse"),
        command=command,
        checkpoint_sha256=spec.checkpoint_sha256,
        packages={package: version(package) for package in MADE_WITH},
    )


def _message(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    return str(errors()[0]["msg"]) if errors is not None else str(error)
