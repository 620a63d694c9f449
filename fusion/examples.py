"""Real samples of a network's senses, in step, and what they all speak of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edgefuse.fusion.labels import PromptTexts


@dataclass(frozen=True, slots=True)
class Examples:
    """Real samples: of each sense its encoder's input (examples, ...), in step; what they all speak of, if known.

    labels: int64 (examples,), indices into the network's; None where nobody knows them. present: bool (examples,) by
    sense, whether an example has it; all have a sense that is not named. What stands in for one that is lacking is
    nothing to measure ranges, accuracy or what is usual on. origin: what they are, in words, for reports.
    """

    samples: Mapping[str, np.ndarray]
    labels: np.ndarray | None = None
    present: Mapping[str, np.ndarray] = field(default_factory=dict)
    origin: str | None = None

    def __len__(self) -> int:
        return len(next(iter(self.samples.values()))) if self.samples else 0

    def having(self, senses: Sequence[str]) -> np.ndarray:
        """Which examples have all of these senses, bool (examples,)."""
        rows = [self.present[sense] for sense in senses if sense in self.present]
        return np.asarray(np.logical_and.reduce([np.ones(len(self), bool), *rows]))

    def take(self, rows: np.ndarray) -> "Examples":
        """Some of them, by index or mask."""
        return replace(
            self,
            samples={sense: array[rows] for sense, array in self.samples.items()},
            labels=None if self.labels is None else self.labels[rows],
            present={sense: array[rows] for sense, array in self.present.items()},
        )


@dataclass(frozen=True, slots=True)
class TaskSamples:
    """What a network is calibrated and judged on. calibration: of what the robot will meet, to measure ranges on;
    holdout: others, to measure errors and, where they have labels, accuracy; validation: gives labelled ones that
    training never saw, to measure confidence on (on the hold-out if None); remarks: what cannot be measured on these,
    for the report; prompts: those of the training, None where nobody knows them."""

    calibration: Examples
    holdout: Examples
    validation: Callable[[], Examples] | None = None
    remarks: tuple[str, ...] = ()
    prompts: PromptTexts | None = None
