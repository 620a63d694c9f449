"""Which samples of the task a bundle's ranges are measured on, and which it is verified and judged on."""

import numpy as np
from tokenizers import Tokenizer

from edgefuse.fusion.examples import Examples, TaskSamples
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.errors import SynthesisError
from edgefuse.tabletop.samples import NOTHING_LABEL, Level, examples, test_set
from edgefuse.tabletop.samples import Examples as Drawn
from edgefuse.tabletop.vocabulary import LABELS, SEEN_LABELS

CALIBRATION_EXAMPLES = 512
CALIBRATION_SEED = 5101
DARK_SHARE = 8
CONFIDENCE_PER_CLASS = 30
CONFIDENCE_SEED = 7301
VERIFICATION_PER_CLASS = 27
FEW_CALIBRATION_EXAMPLES = 64
FEW_VERIFICATION_PER_CLASS = 2
VERIFICATION_LEVEL: Level = "middle"


def task_samples(tokenizer: Tokenizer) -> TaskSamples:
    """For a network that was trained on the task. Raises `SynthesisError`, as all here, without espeak-ng."""
    return TaskSamples(
        calibration=calibration_examples(CALIBRATION_EXAMPLES, tokenizer),
        holdout=verification_examples(VERIFICATION_PER_CLASS, tokenizer),
        validation=lambda: confidence_examples(tokenizer),
    )


def few_task_samples(tokenizer: Tokenizer) -> TaskSamples:
    """For a network a hundred times the size."""
    return TaskSamples(
        calibration=calibration_examples(FEW_CALIBRATION_EXAMPLES, tokenizer),
        holdout=verification_examples(FEW_VERIFICATION_PER_CLASS, tokenizer),
    )


def calibration_examples(count: int, tokenizer: Tokenizer | None = None) -> Examples:
    """Train split, any noise, an eighth with the lamp off: what activations look like in use, and nothing of what
    verification measures on. Texts are read with `tokenizer`, the network's, or with the built-in one."""
    dark = count // DARK_SHARE
    objects = [label for label in SEEN_LABELS if label != NOTHING_LABEL]
    try:
        parts = [
            examples("train", count - dark, CALIBRATION_SEED),
            examples("train", dark, CALIBRATION_SEED, situation="named", labels=objects),
        ]
    except SynthesisError as error:
        raise SynthesisError(f"no calibration samples: {error}") from error
    samples = _join([_samples(part, tokenizer) for part in parts if len(part)])
    return Examples(samples, origin="samples of the tabletop task's training split")


def verification_examples(per_class: int, tokenizer: Tokenizer | None = None) -> Examples:
    """Test split at the middle noise level, every class equally often; texts as above."""
    try:
        some = test_set(VERIFICATION_LEVEL, per_class)
    except SynthesisError as error:
        raise SynthesisError(f"no samples to verify with: {error}") from error
    return Examples(_samples(some, tokenizer), some.labels, origin="samples of the tabletop task's test split")


def confidence_examples(tokenizer: Tokenizer | None = None) -> Examples:
    """Scenes and phrases that neither training nor test holds, any noise, every class equally often, also the pairs
    that training never saw. Half are of the validation split, with voices, sentences and surfaces of its own, half are
    new ones of the train split: the four voices of the former alone are a small and hard sample. Texts as above.
    """
    count, every = CONFIDENCE_PER_CLASS * len(LABELS), range(len(LABELS))
    try:
        halves = [examples(split, count, CONFIDENCE_SEED, labels=every) for split in ("validation", "train")]
    except SynthesisError as error:
        raise SynthesisError(f"no samples to measure confidence on: {error}") from error
    labels = np.concatenate([half.labels for half in halves])
    samples = _join([_samples(half, tokenizer) for half in halves])
    return Examples(samples, labels, origin="samples of the tabletop task that neither training nor test holds")


def _samples(some: Drawn, tokenizer: Tokenizer | None) -> dict[str, np.ndarray]:
    text_ids = some.text_ids if tokenizer is None else token_ids(tokenizer, some.texts)
    return {"image": some.images, "audio": some.audio, "text": text_ids}


def _join(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {sense: np.concatenate([part[sense] for part in parts]) for sense in parts[0]}
