"""The tabletop as a task: what training, export, verify and bench ask of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tokenizers import Tokenizer

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.examples import TaskSamples
from edgefuse.fusion.labels import PromptTexts
from edgefuse.fusion.prediction import Predictor
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task_record import BuiltInRecord
from edgefuse.tabletop.batches import SETTLED_SHARES, TabletopBatches
from edgefuse.tabletop.evaluation import evaluate
from edgefuse.tabletop.pools import Backdrops, ScenePool, UtterancePool, scene_pool, utterance_pool
from edgefuse.tabletop.remarks import all_prompts
from edgefuse.tabletop.report import Report
from edgefuse.tabletop.splits import few_task_samples, task_samples
from edgefuse.tabletop.vocabulary import LABELS, build_tokenizer

SHIPPED = Path(__file__).with_name("tabletop.safetensors")
"""The trained checkpoint of this repository: what `train` with its defaults gave. Its evaluation is in
`report.json` beside it."""

FRESH = 1000
"""Added to the seed for data that the senses were not trained on."""


@dataclass(frozen=True, slots=True)
class Tabletop:
    """The task with so much to train on; the defaults are those of the shipped checkpoint. extra_pictures: per step,
    they tell colour from shape."""

    name: ClassVar[str] = "tabletop"
    labels: ClassVar[tuple[str, ...]] = LABELS

    pictures_per_pair: int = 400
    utterances_per_pair: int = 120
    extra_pictures: int = 24

    def build_tokenizer(self, length: int) -> Tokenizer:
        """See Task.build_tokenizer."""
        return build_tokenizer(length)

    def prepare(
        self, config: NetworkConfig, tokenizer: Tokenizer, settings: TrainingSettings, progress: Progress
    ) -> "TabletopTraining":
        """See Task.prepare. Raises `SynthesisError` without espeak-ng once batches are asked for."""
        return TabletopTraining(self, tokenizer, settings, progress)

    @property
    def prompts(self) -> PromptTexts:
        """See BuiltInTask.prompts."""
        return all_prompts()

    def samples(self, tokenizer: Tokenizer) -> TaskSamples:
        """See BuiltInTask.samples. Raises `SynthesisError` without espeak-ng."""
        return task_samples(tokenizer)

    def few_samples(self, tokenizer: Tokenizer) -> TaskSamples:
        """See BuiltInTask.few_samples."""
        return few_task_samples(tokenizer)

    def evaluate(self, predictor: Predictor, tokenizer: Tokenizer | None = None, progress: Progress = unseen) -> Report:
        """See BuiltInTask.evaluate."""
        return evaluate(predictor, progress=progress, tokenizer=tokenizer)


TABLETOP = Tabletop()
"""The task as the shipped checkpoint was trained on it."""


@dataclass(frozen=True, slots=True)
class TabletopTraining:
    """Batches of the training split, made when they are asked for."""

    task: Tabletop
    tokenizer: Tokenizer
    settings: TrainingSettings
    progress: Progress

    @property
    def record(self) -> BuiltInRecord:
        """See TrainingData.record."""
        return BuiltInRecord(name=self.task.name)

    def batches(self) -> TabletopBatches:
        """See TrainingData.batches."""
        task, seed = self.task, self.settings.seed
        pools = self.pools(task.pictures_per_pair, task.utterances_per_pair, seed)
        size, dropout = self.settings.batch, self.settings.dropout
        return TabletopBatches(*pools, self.tokenizer, size, task.extra_pictures, dropout, seed)

    def fusion_batches(self) -> TabletopBatches:
        """See TrainingData.fusion_batches: of pictures and phrases on which the senses were not trained, so that the
        fusion learns how reliable they really are; "nothing" more often, no extra pictures."""
        task, seed = self.task, self.settings.seed + FRESH
        pools = self.pools(task.pictures_per_pair // 4 + 1, task.utterances_per_pair // 3 + 1, seed)
        size, dropout = self.settings.batch, self.settings.dropout
        return TabletopBatches(*pools, self.tokenizer, size, 0, dropout, seed, SETTLED_SHARES)

    def validate(self, predictor: Predictor) -> dict[str, float]:
        """See TrainingData.validate."""
        return {}

    def pools(self, pictures: int, utterances: int, seed: int) -> tuple[ScenePool, UtterancePool, Backdrops]:
        """`pictures` and `utterances` per pair, and background noise, of the training split."""
        return (
            scene_pool("train", pictures, seed, self.progress),
            utterance_pool("train", utterances, seed, self.progress),
            Backdrops("train", seed, 120.0),
        )
