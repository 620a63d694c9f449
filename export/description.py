"""What the manifest says of a network: its senses, labels and graphs, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import edgefuse
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.vocabulary import NOTHING, prompt_of
from edgefuse.runtime.bundle import sha256_of
from edgefuse.runtime.manifest import (
    AudioModality,
    GraphSpec,
    ImageModality,
    Manifest,
    Modality,
    Provenance,
    TextModality,
)

TOKENIZER_FILE = "tokenizer.json"
AUDIO_HOP_SAMPLES = 3200
"""A new window is encoded every 200 ms."""

MAX_AGE_MS = {"image": 200.0, "audio": 600.0, "text": 4000.0}
"""About how long the world stays as a sense last found it: some frames, some hops, a remark."""

MADE_WITH = ("torch", "onnx", "onnxscript", "onnxruntime")


def described(
    name: str, checkpoint: Checkpoint, graphs: Mapping[str, GraphSpec], files: dict[str, str], made: Provenance
) -> Manifest:
    """The manifest of graphs that lie in a directory; `files` are its checksums. Nothing is verified yet."""
    return Manifest(
        name=name,
        dim=checkpoint.config.dim,
        modalities=modalities(checkpoint, graphs),
        fusion=graphs["fusion"],
        tokenizer=TOKENIZER_FILE,
        labels={label: prompt_of(label) for label in checkpoint.labels},
        background=NOTHING if NOTHING in checkpoint.labels else None,
        files=files,
        made=made,
    )


def modalities(checkpoint: Checkpoint, graphs: Mapping[str, GraphSpec]) -> tuple[Modality, ...]:
    """The senses in the network's order."""
    config = checkpoint.config
    known: dict[str, Modality] = {
        "image": ImageModality(name="image", graph=graphs["image"], max_age_ms=MAX_AGE_MS["image"]),
        "audio": AudioModality(
            name="audio",
            graph=graphs["audio"],
            max_age_ms=MAX_AGE_MS["audio"],
            rate_hz=config.sample_rate_hz,
            window_samples=config.window_samples,
            hop_samples=AUDIO_HOP_SAMPLES,
        ),
        "text": TextModality(
            name="text", graph=graphs["text"], max_age_ms=MAX_AGE_MS["text"], max_tokens=config.text_length
        ),
    }
    return tuple(known[modality] for modality in config.modalities)


def provenance(command: str, checkpoint: Path) -> Provenance:
    """What it takes to make the bundle again."""
    return Provenance(
        edgefuse=edgefuse.__version__,
        command=command,
        checkpoint_sha256=sha256_of(checkpoint),
        packages={package: version(package) for package in MADE_WITH},
    )
