"""Training batches of the tabletop task: situations mixed from the pools, degraded anew each time."""

import numpy as np
import torch
from tokenizers import Tokenizer

from edgefuse.fusion.batch import Batch, agreement_labels, fused_labels, presence, shifted_agreement_labels
from edgefuse.fusion.losses import NO_LABEL
from edgefuse.fusion.sensor import degrade, lamp_off
from edgefuse.fusion.settings import Dropout
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.pools import Backdrops, ScenePool, UtterancePool
from edgefuse.tabletop.remarks import COLOR, PAIR, SHAPE, prompts, remark
from edgefuse.tabletop.samples import NOTHING_LABEL, WINDOW_SAMPLES, whole_place
from edgefuse.tabletop.speech import mix
from edgefuse.tabletop.vocabulary import COLORS, HELD_OUT, LABELS, SEEN_LABELS, SHAPES

SITUATIONS = ("both", "contradiction", "shown", "named in the dark", "nothing", "named, empty table")
SHARES = (0.68, 0.05, 0.10, 0.09, 0.05, 0.03)
SETTLED_SHARES = (0.64, 0.02, 0.08, 0.08, 0.15, 0.03)
"""Of the situations: while the senses are learned, and then for the fusion alone, which so weighs "nothing" rightly."""
CUT_SHARE = 0.12
"""Of the spoken phrases, how many are cut at random by the window's edge."""


class TabletopBatches:
    """Draws batches from pools; the same seed gives the same batches."""

    def __init__(
        self, scenes: ScenePool, utterances: UtterancePool, backdrops: Backdrops, tokenizer: Tokenizer, size: int,
        extra: int, dropout: Dropout, seed: int, shares: tuple[float, ...] = SHARES,
    ) -> None:  # fmt: skip
        self.scenes, self.utterances, self.backdrops, self.tokenizer = scenes, utterances, backdrops, tokenizer
        self.size, self.extra = size, extra
        self.shares = shares
        self.dropout = np.array([dropout.image, dropout.audio, dropout.text])
        self.rng = np.random.default_rng([seed, 77])
        self.rows_of = {label: np.flatnonzero(scenes.labels == label) for label in SEEN_LABELS}
        self.extra_rows = np.flatnonzero(scenes.labels == NO_LABEL)
        self.objects = np.array([label for label in SEEN_LABELS if label != NOTHING_LABEL])

    def draw(self) -> Batch:
        rng = self.rng
        label = rng.choice(self.objects, self.size)
        situation = rng.choice(len(SITUATIONS), self.size, p=self.shares)
        shown, said, typed = self.subjects(label, situation)
        rows = np.array([rng.choice(self.rows_of[one]) for one in shown])
        extra = rng.choice(self.extra_rows, self.extra)
        images = self.pictures(np.concatenate([rows, extra]), dark=np.flatnonzero(situation == 3))
        audio, heard = self.sounds(said)
        text_ids, colors, shapes = self.remarks(typed)

        seen = np.where(situation == 3, NOTHING_LABEL, shown)
        sense_labels = np.stack([seen, heard, np.where((colors >= 0) == (shapes >= 0), typed, NO_LABEL)], axis=1)
        present = presence(self.size, self.dropout, rng)
        told = np.stack([seen, heard, typed], axis=1)
        labels = fused_labels(told, present, NOTHING_LABEL)
        own_color, own_shape = attributes(np.concatenate([sense_labels, labels[:, None]], axis=1))
        own_color[:, 2], own_shape[:, 2] = colors, shapes
        tensors = {
            "images": images,
            "audio": audio,
            "text_ids": text_ids,
            "present": present,
            "labels": labels,
            "sense_labels": sense_labels,
            "attributes": np.stack([own_color, own_shape], axis=2),
            "agree": agreement_labels(told, present, NOTHING_LABEL),
            "agree_shifted": shifted_agreement_labels(told, NOTHING_LABEL),
            "places": self.scenes.places[np.concatenate([rows, extra])].reshape(len(images), -1),
            "extra_attributes": np.stack([self.scenes.colors[extra], self.scenes.shapes[extra]], axis=1),
            "prompt_ids": token_ids(self.tokenizer, prompts(rng)),
            "allowed": np.isin(np.arange(len(LABELS)), SEEN_LABELS),
            "combinations": seen_combinations(),
        }
        batch = {name: torch.from_numpy(array) for name, array in tensors.items()}
        batch["places"][: self.size][torch.from_numpy(situation == 3)] = 0
        return Batch(**batch)

    def subjects(self, label: np.ndarray, situation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is in the picture, what is said, what is typed: label per example, 36 for nothing."""
        shown = np.where(np.isin(situation, (4, 5)), NOTHING_LABEL, label)
        said = np.where(np.isin(situation, (2, 4)), NOTHING_LABEL, label)
        typed = np.where(situation == 4, NOTHING_LABEL, label)
        for row in np.flatnonzero(situation == 1):
            other = self.rng.choice([one for one in self.objects if one != label[row]])
            (shown, said, typed)[self.rng.choice(3, p=(0.4, 0.4, 0.2))][row] = other
        return shown, said, typed

    def pictures(self, rows: np.ndarray, dark: np.ndarray) -> np.ndarray:
        images = degrade(self.scenes.images[rows], self.rng.uniform(0, 1.05, len(rows)), self.rng)
        if len(dark):
            images[dark] = lamp_off(self.scenes.images[rows[dark]], self.rng)
        return images

    def sounds(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Windows, and what is heard in them: -1 where a key word is cut."""
        rng = self.rng
        windows, heard = np.empty((len(said), WINDOW_SAMPLES), np.float32), said.copy()
        for row, label in enumerate(said):
            backdrop, level = self.backdrops.stretch(WINDOW_SAMPLES, rng), 10 ** rng.uniform(-1.9, -0.6)
            utterance, place = None, 0
            if label != NOTHING_LABEL:
                choices = self.utterances.by_label[int(label)]
                utterance = choices[rng.integers(len(choices))]
                place = whole_place(utterance, rng)
                if rng.random() < CUT_SHARE:
                    place = int(rng.integers(-utterance.end, WINDOW_SAMPLES - utterance.start))
                    whole = -utterance.start <= place <= WINDOW_SAMPLES - utterance.end
                    heard[row] = label if whole else NO_LABEL
            windows[row] = mix(utterance, place, backdrop, rng.uniform(-10, 25), level)
        return windows, heard

    def remarks(self, typed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token ids, and the colour and shape they tell (-1: not)."""
        told = [remark(int(label), self.rng.uniform(0, 0.3), self.rng) for label in typed]
        kinds = np.array([kind for _, kind in told])
        colors = np.where(np.isin(kinds, (PAIR, COLOR)), typed // len(SHAPES), NO_LABEL)
        shapes = np.where(np.isin(kinds, (PAIR, SHAPE)), typed % len(SHAPES), NO_LABEL)
        return token_ids(self.tokenizer, [text for text, _ in told]), colors, shapes


def seen_combinations() -> np.ndarray:
    """bool (7, 7): whether training shows a colour and a shape together; the last of each is "not known"."""
    seen = np.ones((len(COLORS) + 1, len(SHAPES) + 1), bool)
    for color, shape in HELD_OUT:
        seen[COLORS.index(color), SHAPES.index(shape)] = False
    return seen


def attributes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour and shape of each label, -1 for nothing or unknown."""
    of_object = (labels != NO_LABEL) & (labels != NOTHING_LABEL)
    return np.where(of_object, labels // len(SHAPES), NO_LABEL), np.where(of_object, labels % len(SHAPES), NO_LABEL)
