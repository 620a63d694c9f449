"""Ready examples of the tabletop task: a frame, a window of sound and a typed remark about one object, from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgefuse.fusion.sensor import degrade, lamp_off
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.pools import Backdrops
from edgefuse.tabletop.remarks import TYPO_RATE, remark
from edgefuse.tabletop.scenes import random_color_of, random_scene, render
from edgefuse.tabletop.speech import Utterance, mix, utter
from edgefuse.tabletop.storage import load_or_make
from edgefuse.tabletop.vocabulary import LABELS, PAIRS, SEEN_LABELS, build_tokenizer

WINDOW_SAMPLES = 25_600
NOTHING_LABEL = len(PAIRS)
Split = Literal["train", "validation", "test"]
Level = Literal["low", "middle", "high"]
Situation = Literal["both", "shown", "named"]

DEGRADATION: dict[Level, float] = {"low": 0.1, "middle": 0.68, "high": 1.0}
"""Of the image, 0 = clean, at the three noise levels of `test_set`."""
SNR_DB: dict[Level, float] = {"low": 20.0, "middle": 0.0, "high": -5.0}
"""Of the speech, at the same levels."""


@dataclass(frozen=True, slots=True)
class Examples:
    """n examples. A sense that has nothing to say ("shown", "named", "typed" false) shows an empty or dark table, has
    background noise only, or speaks of nothing; its own label is then 36 ("nothing")."""

    images: np.ndarray
    """uint8 (n, 96, 128, 3), RGB"""
    audio: np.ndarray
    """float32 (n, 25600), -1..1, 16 kHz"""
    texts: tuple[str, ...]
    text_ids: np.ndarray
    """int64 (n, 32), 0 = padding"""
    labels: np.ndarray
    """int64 (n,): index into LABELS"""
    shown: np.ndarray
    """bool (n,): an object is in the picture and the lamp is on"""
    named: np.ndarray
    """bool (n,): colour and shape are spoken, wholly inside the window"""
    typed: np.ndarray
    """bool (n,): the remark tells something of an object (at least one attribute)"""

    def __len__(self) -> int:
        return len(self.labels)

    def sense_labels(self) -> np.ndarray:
        """int64 (n, 3): what image, audio and text each speak of."""
        tells = np.stack([self.shown, self.named, self.typed], axis=1)
        return np.where(tells, self.labels[:, None], NOTHING_LABEL)

    def take(self, rows: np.ndarray | slice) -> "Examples":
        """Some of them."""
        kept = tuple(np.array(self.texts, dtype=object)[rows])
        arrays = {name: getattr(self, name)[rows] for name in self.__slots__ if name != "texts"}
        return Examples(texts=kept, **arrays)


def examples(
    split: Split, count: int, seed: int, image_noise: Level | None = None, snr_db: float | None = None,
    situation: Situation = "both", labels: Sequence[int] | None = None,
) -> Examples:  # fmt: skip
    """`count` examples, classes in turn, always the same for the same arguments (cached on disk).

    image_noise None: any strength; snr_db None: -10 to 25 dB. situation "shown": the object is seen and nothing is
    said; "named": it is named with the lamp off. labels: which classes; by default all in the test split, elsewhere all
    but the held-out pairs. Typing slips follow `image_noise`. Raises `SynthesisError` without espeak-ng.
    """
    chosen = tuple(labels) if labels is not None else (tuple(range(len(LABELS))) if split == "test" else SEEN_LABELS)
    key = f"examples {split} {count} {seed} {image_noise} {snr_db} {situation} {chosen}"
    arrays = load_or_make(key, lambda: make(split, count, seed, image_noise, snr_db, situation, chosen))
    texts = tuple(str(text) for text in arrays.pop("texts"))
    return Examples(texts=texts, text_ids=token_ids(build_tokenizer(), texts), **arrays)


def test_set(level: Level, per_class: int = 60) -> Examples:  # noqa: PT028 (not a test)
    """The test split at one of the three levels of image noise, with speech at 20, 0 or -5 dB."""
    return examples("test", per_class * len(LABELS), 11, level, SNR_DB[level])


test_set.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest thinks of the name


def make(
    split: Split, count: int, seed: int, image_noise: Level | None, snr_db: float | None, situation: Situation,
    labels: tuple[int, ...],
) -> dict[str, np.ndarray]:  # fmt: skip
    rng = np.random.default_rng([seed, count, ("train", "validation", "test").index(split)])
    backdrops = Backdrops(split, seed)
    chosen = np.array([labels[i % len(labels)] for i in range(count)], dtype=np.int64)
    objects = chosen != NOTHING_LABEL
    strength = np.full(count, DEGRADATION[image_noise]) if image_noise else rng.uniform(0, 1, count)
    images = np.stack([picture(split, label, rng) for label in chosen])
    dark = situation == "named"
    images = lamp_off(images, rng) if dark else degrade(images, strength, rng)
    spoken = objects & (situation != "shown")
    utterances = iter(utter(split, [LABELS[label] for label in chosen[spoken]], rng))
    said = [next(utterances) if speaks else None for speaks in spoken]
    audio = [hear(one, backdrops, rng.uniform(-10, 25) if snr_db is None else snr_db, rng) for one in said]
    slips = TYPO_RATE[image_noise] if image_noise else 0.1
    return {
        "images": images,
        "audio": np.stack(audio),
        "texts": np.array([remark(int(label), slips, rng)[0] for label in chosen]),
        "labels": chosen,
        "shown": objects & (not dark),
        "named": spoken,
        "typed": objects,
    }


def picture(split: Split, label: int, rng: np.random.Generator) -> np.ndarray:
    """A clean frame of the class, uint8 (96, 128, 3)."""
    color, shape = PAIRS[label] if label < NOTHING_LABEL else (None, None)
    return render(random_scene(split, shape, random_color_of(color, rng), rng))[0]


def hear(said: Utterance | None, backdrops: Backdrops, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """A window with the key words wholly inside it, at a random place; without an utterance noise only."""
    level = 10 ** rng.uniform(-1.7, -0.7)
    place = whole_place(said, rng) if said else 0
    return mix(said, place, backdrops.stretch(WINDOW_SAMPLES, rng), snr_db, level)


def whole_place(said: Utterance, rng: np.random.Generator) -> int:
    """Where in the window the phrase begins so that no key word is cut."""
    return int(rng.integers(-said.start, max(1 - said.start, WINDOW_SAMPLES - said.end)))
