"""A folder of one's own as a task."""

import os
from pathlib import Path

from tokenizers import Tokenizer

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.folder import read_folder, validate
from edgefuse.fusion.folder_batches import FolderBatches
from edgefuse.fusion.folder_listing import LeftOut, list_folder
from edgefuse.fusion.prediction import Predictor
from edgefuse.fusion.progress import Progress
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task_record import FolderRecord
from edgefuse.fusion.tokenizer import build_tokenizer, words_of


class FolderTask:
    """`folder` is laid out as folder_listing.py says. Raises `DataError`, one line, where it has no classes."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.labels = tuple(one.label for one in list_folder(self.folder, LeftOut()))

    def build_tokenizer(self, length: int) -> Tokenizer:
        """See Task.build_tokenizer. Each word of a label is one token."""
        return build_tokenizer(words_of(self.labels), length)

    def prepare(
        self, config: NetworkConfig, tokenizer: Tokenizer, settings: TrainingSettings, progress: Progress
    ) -> "FolderTraining":
        """See Task.prepare. Raises `DataError` for a file that cannot be read."""
        return FolderTraining(self.folder, config, tokenizer, settings, progress)


class FolderTraining:
    """The folder's examples, read once; the fusion learns on from the batches of the whole network."""

    def __init__(
        self, folder: Path, config: NetworkConfig, tokenizer: Tokenizer, settings: TrainingSettings, progress: Progress
    ) -> None:
        self.config = config
        self.found = read_folder(folder, config, progress=progress)
        self.drawn = FolderBatches(self.found.labels, self.found.training, tokenizer, config, settings)

    @property
    def record(self) -> FolderRecord:
        """See TrainingData.record."""
        return self.found.record()

    def batches(self) -> FolderBatches:
        """See TrainingData.batches."""
        return self.drawn

    def fusion_batches(self) -> FolderBatches:
        """See TrainingData.fusion_batches."""
        return self.drawn

    def validate(self, predictor: Predictor) -> dict[str, float]:
        """See TrainingData.validate."""
        return validate(predictor, self.found.validation, self.config)
