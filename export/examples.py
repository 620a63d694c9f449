"""Real samples of the tabletop task: train split to measure quantization ranges, test split to verify."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edgefuse.export.errors import ExportError
from edgefuse.fusion import tabletop
from edgefuse.fusion.errors import FusionError

CALIBRATION_EXAMPLES = 512
CALIBRATION_SEED = 5101
VERIFICATION_PER_CLASS = 27
VERIFICATION_LEVEL: tabletop.Level = "middle"


@dataclass(frozen=True, slots=True)
class TaskExamples:
    """samples: each sense's input (examples, ...); labels: int64 (examples,), the class that they all speak of."""

    samples: Mapping[str, np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def calibration_examples() -> TaskExamples:
    """Train split, any noise: what activations look like in use, and nothing of what verification measures on."""
    try:
        return _task_examples(tabletop.examples("train", CALIBRATION_EXAMPLES, CALIBRATION_SEED))
    except FusionError as error:
        raise ExportError(f"no calibration samples: {error}") from error


def verification_examples() -> TaskExamples:
    """Test split at the middle noise level, every class equally often."""
    try:
        return _task_examples(tabletop.test_set(VERIFICATION_LEVEL, VERIFICATION_PER_CLASS))
    except FusionError as error:
        raise ExportError(f"no samples to verify with: {error}") from error


def subsets(senses: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every non-empty subset of the senses, smallest first."""
    return [subset for size in range(1, len(senses) + 1) for subset in combinations(senses, size)]


def _task_examples(examples: tabletop.Examples) -> TaskExamples:
    return TaskExamples({"image": examples.images, "audio": examples.audio, "text": examples.text_ids}, examples.labels)
