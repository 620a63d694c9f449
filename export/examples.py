"""Real samples of the tabletop task: train split to measure quantization ranges, test split to verify."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from tokenizers import Tokenizer

from edgefuse.export.errors import ExportError
from edgefuse.export.spec import Examples, TaskSamples
from edgefuse.fusion import tabletop
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.fusion.vocabulary import LABELS, SEEN_LABELS

CALIBRATION_EXAMPLES = 512
CALIBRATION_SEED = 5101
DARK_SHARE = 8
CONFIDENCE_PER_CLASS = 30
CONFIDENCE_SEED = 7301
VERIFICATION_PER_CLASS = 27
VERIFICATION_LEVEL: tabletop.Level = "middle"


def tabletop_samples(checkpoint: Checkpoint) -> TaskSamples:
    """For a network that was trained on the task; raises ExportError without espeak-ng, or for one of other labels."""
    if checkpoint.labels != LABELS:
        raise ExportError("the checkpoint says that it is of the tabletop task, but has other labels; train it again")
    tokenizer = checkpoint.tokenizer
    return TaskSamples(
        calibration=calibration_examples(CALIBRATION_EXAMPLES, tokenizer),
        holdout=verification_examples(VERIFICATION_PER_CLASS, tokenizer),
        validation=lambda: confidence_examples(tokenizer),
    )


def calibration_examples(count: int, tokenizer: Tokenizer | None = None) -> Examples:
    """Train split, any noise, an eighth with the lamp off: what activations look like in use, and nothing of what
    verification measures on. Texts are read with `tokenizer`, the network's, or with the built-in one."""
    dark = count // DARK_SHARE
    objects = [label for label in SEEN_LABELS if label != tabletop.NOTHING_LABEL]
    try:
        parts = [
            tabletop.examples("train", count - dark, CALIBRATION_SEED),
            tabletop.examples("train", dark, CALIBRATION_SEED, situation="named", labels=objects),
        ]
    except FusionError as error:
        raise ExportError(f"no calibration samples: {error}") from error
    samples = _joined([_samples(part, tokenizer) for part in parts if len(part)])
    return Examples(samples, origin="samples of the tabletop task's training split")


def verification_examples(per_class: int, tokenizer: Tokenizer | None = None) -> Examples:
    """Test split at the middle noise level, every class equally often; texts as above."""
    try:
        examples = tabletop.test_set(VERIFICATION_LEVEL, per_class)
    except FusionError as error:
        raise ExportError(f"no samples to verify with: {error}") from error
    return Examples(_samples(examples, tokenizer), examples.labels, origin="samples of the tabletop task's test split")


def confidence_examples(tokenizer: Tokenizer | None = None) -> Examples:
    """Scenes and phrases that neither training nor test holds, any noise, every class equally often, also the pairs
    that training never saw. Half are of the validation split, with voices, sentences and surfaces of its own, half are
    new ones of the train split: the four voices of the former alone are a small and hard sample. Texts as above.
    """
    count, every = CONFIDENCE_PER_CLASS * len(LABELS), range(len(LABELS))
    try:
        halves = [tabletop.examples(split, count, CONFIDENCE_SEED, labels=every) for split in ("validation", "train")]
    except FusionError as error:
        raise ExportError(f"no samples to measure confidence on: {error}") from error
    labels = np.concatenate([half.labels for half in halves])
    samples = _joined([_samples(half, tokenizer) for half in halves])
    return Examples(samples, labels, origin="samples of the tabletop task that neither training nor test holds")


def subsets(senses: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every non-empty subset of the senses, smallest first."""
    return [subset for size in range(1, len(senses) + 1) for subset in combinations(senses, size)]


def _samples(examples: tabletop.Examples, tokenizer: Tokenizer | None) -> dict[str, np.ndarray]:
    text_ids = examples.text_ids if tokenizer is None else token_ids(tokenizer, examples.texts)
    return {"image": examples.images, "audio": examples.audio, "text": text_ids}


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {sense: np.concatenate([part[sense] for part in parts]) for sense in parts[0]}
