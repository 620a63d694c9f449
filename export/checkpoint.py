"""Our own networks as specs: a checkpoint of `edgefuse train`, and the preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgefuse.export import examples
from edgefuse.export.errors import ExportError
from edgefuse.export.spec import Examples, FusionSpec, ModalitySpec
from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.vocabulary import LABELS, NOTHING, prompt_of
from edgefuse.runtime.bundle import sha256_of
from edgefuse.runtime.manifest import AudioModality, ImageModality, Modality, TextModality

AUDIO_HOP_SAMPLES = 3200
"""A new window is encoded every 200 ms."""

MAX_AGE_MS = {"image": 200.0, "audio": 600.0, "text": 4000.0}
"""About how long the world stays as a sense last found it: some frames, some hops, a remark."""

FEATURES = "features"
"""The submodule of our encoders that holds their fixed arithmetic."""

PRESET_CALIBRATION_EXAMPLES = 64
PRESET_VERIFICATION_PER_CLASS = 2
"""A preset is a hundred times the size of the tabletop network."""


def spec_from_checkpoint(path: Path) -> FusionSpec:
    """The network at `path`; raises ExportError for another kind of file."""
    try:
        checkpoint = load_checkpoint(path)
    except FusionError as error:
        raise ExportError(str(error)) from error
    holdout = examples.verification_examples(examples.VERIFICATION_PER_CLASS, checkpoint.tokenizer)
    if tuple(checkpoint.labels) != LABELS:  # of another task, on a folder: what the examples speak of are no classes
        holdout = Examples(holdout.samples)
    calibration = examples.calibration_examples(examples.CALIBRATION_EXAMPLES, checkpoint.tokenizer)
    spec = spec_from_network(path.stem, checkpoint, calibration, holdout, sha256_of(path))
    if holdout.labels is None:
        return spec
    return replace(spec, validation=lambda: examples.confidence_examples(checkpoint.tokenizer))


def spec_from_preset() -> FusionSpec:
    """The preset `base`: a network of that size with random weights, so that its guesses are not worth a label."""
    from edgefuse.fusion.presets import base_network

    try:
        checkpoint = base_network()
    except FusionError as error:
        raise ExportError(str(error)) from error
    holdout = examples.verification_examples(PRESET_VERIFICATION_PER_CLASS)
    calibration = examples.calibration_examples(PRESET_CALIBRATION_EXAMPLES)
    return spec_from_network("base", checkpoint, calibration, Examples(holdout.samples))


def spec_from_network(
    name: str, checkpoint: Checkpoint, calibration: Examples, holdout: Examples, sha256: str | None = None
) -> FusionSpec:
    """A network of ours with samples of the tabletop task."""
    encoders = {sense: checkpoint.network.encoders[sense] for sense in checkpoint.config.modalities}
    return FusionSpec(
        name=name,
        modalities=tuple(
            ModalitySpec(described(sense, checkpoint.config), encoder, FEATURES if hasattr(encoder, FEATURES) else "")
            for sense, encoder in encoders.items()
        ),
        fusion=checkpoint.network.fusion,
        labels={label: prompt_of(label) for label in checkpoint.labels},
        calibration=calibration,
        holdout=holdout,
        background=NOTHING if NOTHING in checkpoint.labels else None,
        tokenizer=checkpoint.tokenizer,
        checkpoint_sha256=sha256,
    )


def described(sense: str, config: NetworkConfig) -> Modality:
    """What the manifest says of one of our senses, but for its graph."""
    known: dict[str, Modality] = {
        "image": ImageModality(name="image", graph=None, max_age_ms=MAX_AGE_MS["image"]),
        "audio": AudioModality(
            name="audio",
            graph=None,
            max_age_ms=MAX_AGE_MS["audio"],
            rate_hz=config.sample_rate_hz,
            window_samples=config.window_samples,
            hop_samples=AUDIO_HOP_SAMPLES,
        ),
        "text": TextModality(name="text", graph=None, max_age_ms=MAX_AGE_MS["text"], max_tokens=config.text_length),
    }
    return known[sense]
