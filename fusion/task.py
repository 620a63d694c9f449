"""What a network is trained and judged on. Networks, losses and training know tasks by this interface only.

A built-in task makes its samples itself; `FolderTask` of folder_task.py is a folder of one's own.
"""

from typing import Any, Protocol

from rich.console import RenderableType
from tokenizers import Tokenizer

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.examples import TaskSamples
from edgefuse.fusion.labels import PromptTexts
from edgefuse.fusion.prediction import Predictor
from edgefuse.fusion.prefetch import Batches
from edgefuse.fusion.progress import Progress
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task_record import TaskRecord


class TrainingData(Protocol):
    """A task's examples for one training."""

    @property
    def record(self) -> TaskRecord:
        """What the checkpoint says of them."""
        ...

    def batches(self) -> Batches:
        """To train the whole network on."""
        ...

    def fusion_batches(self) -> Batches:
        """Then to train the fusion alone on, on senses that no longer change."""
        ...

    def validate(self, predictor: Predictor) -> dict[str, float]:
        """Accuracy 0..1, by the senses that were present, on examples that training did not see; empty for a built-in
        task, which `BuiltInTask.evaluate` measures."""
        ...


class Task(Protocol):
    """Classes, and examples of them to train on."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        ...

    def build_tokenizer(self, length: int) -> Tokenizer:
        """What texts of `length` ids are read with, where the text encoder does not bring its own."""
        ...

    def prepare(
        self, config: NetworkConfig, tokenizer: Tokenizer, settings: TrainingSettings, progress: Progress
    ) -> TrainingData:
        """Examples for a network of this shape that reads texts with this tokenizer. Raises `FusionError`."""
        ...


class Report(Protocol):
    """What `BuiltInTask.evaluate` measured."""

    def figures(self) -> dict[str, float]:
        """The main ones by name: what a checkpoint carries."""
        ...

    def as_json(self) -> dict[str, Any]:
        """All of them, in plain lists, dicts and numbers."""
        ...

    def table(self) -> RenderableType:
        """For a terminal."""
        ...


class BuiltInTask(Task, Protocol):
    """A task that makes its samples itself, so that they are there wherever a checkpoint goes."""

    @property
    def name(self) -> str:
        """As checkpoints record it."""
        ...

    @property
    def prompts(self) -> PromptTexts:
        """Those that its training gives."""
        ...

    def samples(self, tokenizer: Tokenizer) -> TaskSamples:
        """What a bundle is calibrated and judged on; texts are read with `tokenizer`. Raises `FusionError`."""
        ...

    def few_samples(self, tokenizer: Tokenizer) -> TaskSamples:
        """The same for a network a hundred times the size, of which only speed and errors are of interest."""
        ...

    def evaluate(self, predictor: Predictor, tokenizer: Tokenizer | None, progress: Progress) -> Report:
        """How well something perceives the task, whatever it runs on; texts are read with `tokenizer`, by default the
        task's. Raises `FusionError`."""
        ...
