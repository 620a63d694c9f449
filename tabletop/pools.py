"""What training draws from: pictures, utterances and background noise made once and kept."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgefuse.fusion.encoders import PLACES
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.tabletop.espeak import SAMPLE_RATE_HZ
from edgefuse.tabletop.scenes import random_color_of, random_scene, render, unnamed_color
from edgefuse.tabletop.speech import VOICES, Utterance, babble, hiss, hum, utter
from edgefuse.tabletop.storage import load_or_make
from edgefuse.tabletop.vocabulary import COLORS, HELD_OUT, LABELS, PAIRS, SEEN_LABELS, SHAPES

NONE = -1


class Backdrops:
    """Background noise of a split: babble, hum and hiss, deviation 1."""

    def __init__(self, split: str, seed: int, seconds: float = 45.0) -> None:
        key = f"backdrops {split} {seed} {seconds}"
        self.tracks = load_or_make(key, lambda: self.make(split, seed, seconds))["tracks"]

    @staticmethod
    def make(split: str, seed: int, seconds: float) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([seed, len(split)])
        samples = int(seconds * SAMPLE_RATE_HZ)
        hums = np.concatenate([hum(samples // 9, rng) for _ in range(9)])
        hisses = np.concatenate([hiss(samples // 9, rng) for _ in range(9)])
        chatter = babble(split, seconds, rng)
        shortest = min(len(hums), len(chatter))
        return {"tracks": np.stack([track[:shortest] for track in (chatter, hums, hisses)])}

    def stretch(self, samples: int, rng: np.random.Generator) -> np.ndarray:
        """float32 (samples,), deviation about 1: a random stretch of one kind, or of several mixed."""
        shares = rng.dirichlet((1.0, 0.4, 0.6)) ** 0.5
        total = np.zeros(samples, np.float32)
        for track, share in zip(self.tracks, shares, strict=True):
            if share > 0.05:
                start = int(rng.integers(track.shape[0] - samples))
                total += np.float32(share) * track[start : start + samples]
        return total


@dataclass(frozen=True, slots=True)
class ScenePool:
    """Clean pictures. images uint8 (n, 96, 128, 3); places float32 (n, 6, 8), the object's share of each cell, sum 1
    or 0; colors, shapes int64 (n,), -1 = without a name here; labels int64 (n,), -1 = no class of the task."""

    images: np.ndarray
    places: np.ndarray
    colors: np.ndarray
    shapes: np.ndarray
    labels: np.ndarray


def scene_pool(split: str, per_pair: int, seed: int, progress: Progress = unseen) -> ScenePool:
    """The seen pairs and empty tables, `per_pair` each, and half as many again to tell colour from shape: shapes in
    colours without a name, lumps of a named colour. No held-out pair, nor a colour that resembles one on its shape."""
    return ScenePool(**load_or_make(f"scenes {split} {per_pair} {seed}", lambda: draw(split, per_pair, seed, progress)))


def draw(split: str, per_pair: int, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, per_pair])
    wanted = [subject for subject in subjects() for _ in range(per_pair)]
    pool: dict[str, list[Any]] = {"images": [], "places": [], "colors": [], "shapes": [], "labels": []}
    for done, (color, shape, label) in enumerate(wanted):
        avoid = next((held for held, held_shape in HELD_OUT if held_shape == shape), "")
        rgb = unnamed_color(rng, avoid) if color is None and shape else random_color_of(color, rng)
        image, mask = render(random_scene(split, shape, rgb, rng))
        pool["images"].append(image)
        pool["places"].append(cell_shares(mask))
        pool["colors"].append(COLORS.index(color) if color else NONE)
        pool["shapes"].append(SHAPES.index(shape) if shape in SHAPES else NONE)
        pool["labels"].append(label)
        if done % 50 == 0:
            progress("drawing pictures", done, len(wanted))
    return {name: np.stack(values) for name, values in pool.items()}


def subjects() -> list[tuple[str | None, str | None, int]]:
    """(colour, shape, label) of every kind of training picture, with the share it takes by repetition."""
    pairs = [(*PAIRS[label], label) if label < len(PAIRS) else (None, None, label) for label in SEEN_LABELS]
    shapes_alone = [(None, shape, NONE) for shape in SHAPES] * 2
    colors_alone = [(color, "blob", NONE) for color in COLORS]
    return [*pairs, *shapes_alone, *colors_alone]


def cell_shares(mask: np.ndarray) -> np.ndarray:
    """float (rows, columns) 0..1 -> float32 PLACES: the share of the object in each cell; all 0 where nothing shows."""
    rows, columns = PLACES
    cells = mask.reshape(rows, mask.shape[0] // rows, columns, -1).sum(axis=(1, 3))
    return np.asarray((cells / max(cells.sum(), 1e-6)).astype(np.float32))


@dataclass(frozen=True, slots=True)
class UtterancePool:
    """Spoken names of the seen pairs: `by_label[label]` is a list of `Utterance`."""

    by_label: dict[int, list[Utterance]]


def utterance_pool(split: str, per_pair: int, seed: int, progress: Progress = unseen) -> UtterancePool:
    """`per_pair` utterances of each seen pair, in the voices of the split."""
    arrays = load_or_make(f"utterances {split} {per_pair} {seed}", lambda: say(split, per_pair, seed, progress))
    pieces = np.split(arrays["pcm"], np.cumsum(arrays["lengths"])[:-1])
    by_label: dict[int, list[Utterance]] = {}
    for label, piece, start, end, voice in zip(
        arrays["labels"], pieces, arrays["starts"], arrays["ends"], arrays["voices"], strict=True
    ):
        by_label.setdefault(int(label), []).append(Utterance(piece, int(start), int(end), VOICES[split][voice]))
    return UtterancePool(by_label)


def say(split: str, per_pair: int, seed: int, progress: Progress) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, per_pair, 1])
    labels = [label for label in SEEN_LABELS if label < len(PAIRS) for _ in range(per_pair)]
    progress("speaking phrases", 0, len(labels))
    spoken = utter(split, [LABELS[label] for label in labels], rng)
    return {
        "pcm": np.concatenate([one.pcm for one in spoken]),
        "lengths": np.array([len(one.pcm) for one in spoken]),
        "starts": np.array([one.start for one in spoken]),
        "ends": np.array([one.end for one in spoken]),
        "voices": np.array([VOICES[split].index(one.voice) for one in spoken]),
        "labels": np.array(labels),
    }
