"""Our own networks as specs: a checkpoint of `edgefuse train`, and the preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgefuse.calibration.collection import Collection
from edgefuse.export.collected import examples_from_collection, set_samples, with_collection
from edgefuse.export.errors import DataNotHereError, ExportError
from edgefuse.export.spec import FusionSpec, ModalitySpec
from edgefuse.fusion.checkpoint import Checkpoint, load_checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.examples import Examples, TaskSamples
from edgefuse.fusion.labels import NOTHING, prompt_of, prompts_of_labels
from edgefuse.fusion.task import BuiltInTask
from edgefuse.fusion.task_record import FolderRecord
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.runtime.bundle.manifest import AudioModality, ImageModality, Modality, TextModality
from edgefuse.runtime.files.digest import sha256_of

AUDIO_HOP_SAMPLES = 3200
"""A new window is encoded every 200 ms."""

MAX_AGE_MS = {"image": 200.0, "audio": 600.0, "text": 4000.0}
"""About how long the world stays as a sense last found it: some frames, some hops, a remark."""

FEATURES = "features"
"""The submodule of our encoders that holds their fixed arithmetic."""

NOISE_EXAMPLES = 8

SamplesOf = Callable[[Path, Checkpoint], TaskSamples]
"""What a network is calibrated and judged on, of the checkpoint that was read from a path.

Raises DataNotHereError where nothing is here of what it was trained on, ExportError or FusionError for anything else.
"""


def spec_from_checkpoint(path: Path, samples_of: SamplesOf, collection: Collection | None = None) -> FusionSpec:
    """The network at `path` with the samples of its task.

    A collection takes the place of the samples that ranges are measured on; where there are no others, of all, without
    accuracy. Raises ExportError for another kind of file, and where there is nothing at all to measure on.
    """
    checkpoint = _load(path)
    try:
        samples = samples_of(path, checkpoint)
    except DataNotHereError as error:
        if collection is None:
            raise
        samples, collection = set_samples(collection, _modalities(checkpoint), error.reason), None
        if isinstance(checkpoint.task, FolderRecord):
            samples = replace(samples, prompts=prompts_of_labels(checkpoint.labels))
    except FusionError as error:
        raise ExportError(str(error)) from error
    spec = spec_from_network(path.stem, checkpoint, samples, sha256_of(path))
    return spec if collection is None else with_collection(spec, collection)


def spec_from_set(path: Path, collection: Collection) -> FusionSpec:
    """The network at `path` with the samples of a set and no others, to compare a bundle on; they have no labels."""
    checkpoint = _load(path)
    examples = examples_from_collection(collection, _modalities(checkpoint))
    samples = TaskSamples(examples, examples, remarks=("accuracy is not measured: collected samples have no labels",))
    return spec_from_network(path.stem, checkpoint, samples, sha256_of(path))


def spec_with_noise(path: Path) -> FusionSpec:
    """The network at `path` with a few samples that show nothing: enough to trace and time it, whatever it learned."""
    checkpoint, random = _load(path), np.random.default_rng(0)
    texts = token_ids(checkpoint.tokenizer, [prompt_of(label) for label in checkpoint.labels])
    samples = {
        "image": random.integers(0, 256, (NOISE_EXAMPLES, *checkpoint.config.image_size, 3), dtype=np.uint8),
        "audio": 0.1 * random.standard_normal((NOISE_EXAMPLES, checkpoint.config.window_samples), dtype=np.float32),
        "text": texts[np.arange(NOISE_EXAMPLES) % len(texts)],
    }
    noise = TaskSamples(Examples(samples), Examples(samples))
    return spec_from_network(path.stem, checkpoint, noise, sha256_of(path))


def spec_from_preset(task: BuiltInTask) -> FusionSpec:
    """The preset `base` for a task: a network of that size with random weights, whose guesses are not worth a label."""
    from edgefuse.fusion.presets import base_network

    try:
        checkpoint = base_network(task)
        samples = task.few_samples(checkpoint.tokenizer)
    except FusionError as error:
        raise ExportError(str(error)) from error
    unlabelled = replace(samples, holdout=replace(samples.holdout, labels=None), validation=None)
    return spec_from_network("base", checkpoint, unlabelled)


def spec_from_network(name: str, checkpoint: Checkpoint, samples: TaskSamples, sha256: str | None = None) -> FusionSpec:
    """A network of ours with these samples."""
    encoders = {sense: checkpoint.network.encoders[sense] for sense in checkpoint.config.modalities}
    return FusionSpec(
        name=name,
        modalities=tuple(
            ModalitySpec(
                modality_from_config(sense, checkpoint.config), encoder, FEATURES if hasattr(encoder, FEATURES) else ""
            )
            for sense, encoder in encoders.items()
        ),
        fusion=checkpoint.network.fusion,
        labels={label: prompt_of(label) for label in checkpoint.labels},
        calibration=samples.calibration,
        holdout=samples.holdout,
        background=NOTHING if NOTHING in checkpoint.labels else None,
        tokenizer=checkpoint.tokenizer,
        checkpoint_sha256=sha256,
        validation=samples.validation,
        remarks=samples.remarks,
        prompts=samples.prompts,
    )


def _load(path: Path) -> Checkpoint:
    try:
        return load_checkpoint(path)
    except FusionError as error:
        raise ExportError(str(error)) from error


def _modalities(checkpoint: Checkpoint) -> list[Modality]:
    return [modality_from_config(sense, checkpoint.config) for sense in checkpoint.config.modalities]


def modality_from_config(sense: str, config: NetworkConfig) -> Modality:
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
