"""Real samples of the tabletop task: train split to measure quantization ranges, test split to verify."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from tokenizers import Tokenizer

from edgefuse.export.errors import ExportError
from edgefuse.export.spec import Examples
from edgefuse.fusion import tabletop
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.vocabulary import token_ids

CALIBRATION_EXAMPLES = 512
CALIBRATION_SEED = 5101
VERIFICATION_PER_CLASS = 27
VERIFICATION_LEVEL: tabletop.Level = "middle"


def calibration_examples(count: int, tokenizer: Tokenizer | None = None) -> Examples:
    """Train split, any noise: what activations look like in use, and nothing of what verification measures on. Texts
    are read with `tokenizer`, the network's, or with the built-in one."""
    try:
        return Examples(_samples(tabletop.examples("train", count, CALIBRATION_SEED), tokenizer))
    except FusionError as error:
        raise ExportError(f"no calibration samples: {error}") from error


def verification_examples(per_class: int, tokenizer: Tokenizer | None = None) -> Examples:
    """Test split at the middle noise level, every class equally often; texts as above."""
    try:
        examples = tabletop.test_set(VERIFICATION_LEVEL, per_class)
    except FusionError as error:
        raise ExportError(f"no samples to verify with: {error}") from error
    return Examples(_samples(examples, tokenizer), examples.labels)


def subsets(senses: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every non-empty subset of the senses, smallest first."""
    return [subset for size in range(1, len(senses) + 1) for subset in combinations(senses, size)]


def _samples(examples: tabletop.Examples, tokenizer: Tokenizer | None) -> dict[str, np.ndarray]:
    text_ids = examples.text_ids if tokenizer is None else token_ids(tokenizer, examples.texts)
    return {"image": examples.images, "audio": examples.audio, "text": text_ids}
