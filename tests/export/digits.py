"""A task that nobody of ours made up: scikit-learn's digits as pictures, their names spoken by espeak-ng."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import soundfile
import soxr
from sklearn.datasets import load_digits

WORDS = ("zero", "one", "two")
RATE_HZ, FPS, SECONDS = 16_000, 10, 2


def write_digits(folder: Path, each: int) -> None:
    """`folder`/<word>/<index>.png and .wav, so many of each word."""
    found = load_digits()
    for digit, word in enumerate(WORDS):
        (folder / word).mkdir(parents=True)
        for index, image in enumerate(found.images[found.target == digit][:each]):
            picture = cv2.resize((15.9 * image).astype(np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / word / f"{index:02}.png"), picture)
            voice = (
                f"en-us+{'mf'[index % 2]}{1 + index // 2 % 4}",
                "-s",
                str(130 + 3 * index),
                "-p",
                str(30 + 2 * index),
            )
            sound = folder / word / f"{index:02}.wav"
            subprocess.run(["espeak-ng", "-v", *voice, "-w", str(sound), word], check=True, timeout=20)


def write_clip(clip: Path, examples: list[Path]) -> None:
    """Each of the examples (paths without suffix) shown and said in turn: `clip`, and the sound beside it."""
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (96, 96))
    random, said = np.random.default_rng(0), []
    for example in examples:
        picture = cv2.imread(str(example.with_suffix(".png")))
        for _ in range(FPS * SECONDS):
            writer.write(picture)
        pcm, rate_hz = soundfile.read(str(example.with_suffix(".wav")), dtype="float32")
        heard = soxr.resample(pcm, rate_hz, RATE_HZ)
        stretch = 1e-3 * random.standard_normal(RATE_HZ * SECONDS)
        stretch[: len(heard)] += heard
        said.append(stretch)
    writer.release()
    soundfile.write(clip.with_suffix(".wav"), np.concatenate(said), RATE_HZ)
