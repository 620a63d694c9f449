"""Training batches from a folder of one's own."""

import numpy as np
import torch
from tokenizers import Tokenizer

from edgefuse.fusion.batch import Batch, agreement_labels, fused_labels, presence, shifted_agreement_labels
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoders import PLACES
from edgefuse.fusion.folder import Recording
from edgefuse.fusion.labels import NOTHING, prompt_of
from edgefuse.fusion.losses import NO_LABEL
from edgefuse.fusion.sensor import degrade
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.slips import misspell
from edgefuse.fusion.tokenizer import token_ids

PHRASES = ("{}", "{}", "this is {}", "look, {}", "it is {}", "{} please")


class FolderBatches:
    """Draws batches from recordings; the same seed gives the same batches. A tenth of them contradict: the sound of
    another class."""

    def __init__(
        self, labels: tuple[str, ...], recordings: tuple[Recording, ...], tokenizer: Tokenizer, config: NetworkConfig,
        settings: TrainingSettings,
    ) -> None:  # fmt: skip
        self.labels, self.recordings, self.tokenizer, self.config = labels, recordings, tokenizer, config
        self.size, dropout = settings.batch, settings.dropout
        self.dropout = np.array([dropout.image, dropout.audio, dropout.text])
        self.rng = np.random.default_rng([settings.seed, 78])
        self.nothing = labels.index(NOTHING) if NOTHING in labels else len(labels)
        self.prompt_ids = token_ids(tokenizer, [prompt_of(label) for label in labels])

    def draw(self) -> Batch:
        rng = self.rng
        rows = rng.integers(len(self.recordings), size=self.size)
        sounds = np.where(rng.random(self.size) < 0.1, rng.integers(len(self.recordings), size=self.size), rows)
        shown = [self.recordings[row] for row in rows]
        heard = [self.recordings[row] for row in sounds]
        told = np.stack([
            np.array([one.label if one.image is not None else NO_LABEL for one in shown]),
            np.array([one.label if one.pcm is not None else NO_LABEL for one in heard]),
            np.array([one.label for one in shown]),
        ], axis=1)  # fmt: skip
        present = presence(self.size, self.dropout, rng) & (told != NO_LABEL)
        present[~present.any(axis=1), 2] = True
        tensors = {
            "images": self.pictures(shown),
            "audio": np.stack([self.window(one.pcm) for one in heard]),
            "text_ids": token_ids(self.tokenizer, [remark(self.labels[one.label], rng) for one in shown]),
            "present": present,
            "labels": fused_labels(told, present, self.nothing),
            "sense_labels": told,
            "attributes": np.zeros((self.size, 4, 0), np.int64),
            "agree": agreement_labels(told, present, self.nothing),
            "agree_shifted": shifted_agreement_labels(told, self.nothing),
            "places": np.zeros((self.size, PLACES[0] * PLACES[1]), np.float32),
            "extra_attributes": np.zeros((0, 0), np.int64),
            "prompt_ids": self.prompt_ids,
            "allowed": np.ones(len(self.labels), bool),
            "combinations": np.ones((), bool),
        }
        return Batch(**{name: torch.from_numpy(array) for name, array in tensors.items()})

    def pictures(self, shown: list[Recording]) -> np.ndarray:
        """Mirrored at random and degraded up to the middle of the scale; black where there is none."""
        images = [one.frame(self.config)[:, :: self.rng.choice((1, -1))] for one in shown]
        return degrade(np.stack(images), self.rng.uniform(0, 0.5, len(images)), self.rng)

    def window(self, pcm: np.ndarray | None) -> np.ndarray:
        """The sound at a random place and gain in a window of faint noise; a longer sound is cut at random."""
        window = self.rng.standard_normal(self.config.window_samples, dtype=np.float32)
        window *= np.float32(10 ** self.rng.uniform(-4, -2))
        if pcm is not None:
            place = int(self.rng.integers(min(0, len(window) - len(pcm)), max(0, len(window) - len(pcm)) + 1))
            first, last = max(0, place), min(len(window), place + len(pcm))
            window[first:last] += pcm[first - place : last - place] * np.float32(10 ** self.rng.uniform(-0.5, 0.2))
        return np.clip(window, -1, 1)


def remark(label: str, rng: np.random.Generator) -> str:
    """What somebody might type of a class, with slips."""
    return misspell(PHRASES[rng.integers(len(PHRASES))].format(prompt_of(label)), 0.1, rng)
