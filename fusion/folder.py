"""Training on a folder of one's own: `FOLDER/<label>/<stem>.png|jpg` and `<stem>.wav`, one sub-folder per class.

A picture and a sound of the same stem are one example; either may be missing. The label's words are the class's prompt.
A sub-folder "nothing" holds what shows and says nothing. Every fifth stem is kept for validation, but for those of its
files that hold the same as one that is trained on.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile
import soxr

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import DataError
from edgefuse.fusion.prediction import Predictor
from edgefuse.fusion.task_record import DIGEST_DIGITS, FolderRecord

PICTURES = (".png", ".jpg", ".jpeg")
VALIDATION_EVERY = 5


@dataclass(frozen=True, slots=True)
class Recording:
    """One example: image uint8 (rows, columns, 3) RGB or None; pcm float32 (samples,) 16 kHz or None; label: class;
    digests: of its files by sense, the same wherever they lie and whatever they are called."""

    image: np.ndarray | None
    pcm: np.ndarray | None
    label: int
    digests: Mapping[str, str]

    def has(self, senses: tuple[str, ...]) -> bool:
        return not (("image" in senses and self.image is None) or ("audio" in senses and self.pcm is None))

    def without(self, digests: Collection[str]) -> "Recording":
        """What of it comes from none of these files."""
        left = {sense: digest for sense, digest in self.digests.items() if digest not in digests}
        return Recording(
            self.image if "image" in left else None, self.pcm if "audio" in left else None, self.label, left
        )

    def frame(self, config: NetworkConfig) -> np.ndarray:
        """The picture, or black."""
        return np.zeros((*config.image_size, 3), np.uint8) if self.image is None else self.image

    def window(self, config: NetworkConfig) -> np.ndarray:
        """The sound's beginning in a window of silence: float32 (samples,)."""
        window = np.zeros(config.window_samples, np.float32)
        heard = window[:0] if self.pcm is None else self.pcm[: len(window)]
        window[: len(heard)] = heard
        return window


@dataclass(frozen=True, slots=True)
class FolderData:
    """folder: its absolute path; labels: what the recordings' labels count."""

    folder: Path
    labels: tuple[str, ...]
    training: tuple[Recording, ...]
    validation: tuple[Recording, ...]

    def record(self) -> FolderRecord:
        """What the checkpoint of a network that was trained on it records."""
        trained_on, held_out = (tuple(sorted(digests_of(part))) for part in (self.training, self.validation))
        return FolderRecord(path=str(self.folder), trained_on=trained_on, held_out=held_out)


def digests_of(recordings: Iterable[Recording]) -> set[str]:
    """Of all their files."""
    return {digest for one in recordings for digest in one.digests.values()}


def read_folder(folder: str | Path, config: NetworkConfig, labels: Sequence[str] | None = None) -> FolderData:
    """`labels` are the classes of a network that is trained already, by default the sub-folders' names, sorted.

    Raises `DataError`, one line, for a folder without classes, a class that is none of `labels`, or a file that cannot
    be read.
    """
    folder = Path(os.path.realpath(folder))
    classes = class_folders(folder)
    known = [path.name for path in classes] if labels is None else list(labels)
    for path in classes:
        if path.name not in known:
            raise DataError(f"{path}: {path.name!r} is none of the network's {len(known)} labels: {shorten(known)}")
    training: list[Recording] = []
    validation: list[Recording] = []
    for path in classes:
        stems: dict[str, list[Path]] = {}
        for file in sorted(path.iterdir()):
            if file.suffix.lower() in (*PICTURES, ".wav"):
                stems.setdefault(file.stem, []).append(file)
        if not stems:
            raise DataError(f"{path}: no .png, .jpg or .wav files in it; take the folder away or fill it")
        for index, files in enumerate(stems.values()):
            kept = validation if index % VALIDATION_EVERY == VALIDATION_EVERY - 1 else training
            kept.append(read_recording(files, known.index(path.name), config))
    trained_on = digests_of(training)
    training += [one for one in validation if not one.without(trained_on).digests]
    held_out = [new for one in validation if (new := one.without(trained_on)).digests]
    return FolderData(folder, tuple(known), tuple(training), tuple(held_out))


def class_folders(folder: Path) -> list[Path]:
    """The sub-folders, sorted; raises `DataError` for fewer than two."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(classes) < 2:
        raise DataError(f"{folder}: expected a folder with a sub-folder per class (two at least), found {len(classes)}")
    return classes


def shorten(names: Sequence[str], most: int = 12) -> str:
    """The names with commas between, the first few of many."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def read_recording(files: list[Path], label: int, config: NetworkConfig) -> Recording:
    """The picture and the sound among the files of one stem."""
    image, pcm, digests = None, None, {}
    for file in files:
        if file.suffix.lower() == ".wav":
            sense, pcm = "audio", read_sound(file, config.sample_rate_hz)
        else:
            sense, image = "image", read_picture(file, config.image_size)
        digests[sense] = hashlib.sha256(file.read_bytes()).hexdigest()[:DIGEST_DIGITS]
    return Recording(image, pcm, label, digests)


def read_picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    """uint8 (rows, columns, 3) RGB of `size`."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path}: not a picture that OpenCV can read")
    return cv2.cvtColor(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def read_sound(path: Path, rate_hz: int) -> np.ndarray:
    """float32 (samples,), mono, at `rate_hz`."""
    try:
        pcm, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: not a sound file that can be read ({error})") from error
    mono = pcm.mean(axis=1)
    return np.asarray(mono if rate == rate_hz else soxr.resample(mono, rate, rate_hz).astype(np.float32))


def validate(predictor: Predictor, recordings: Sequence[Recording], config: NetworkConfig) -> dict[str, float]:
    """Accuracy 0..1 on recordings (`FolderData.validation`) by "image", "audio", "image + audio", each on those that
    have these senses; a sense that no recording has is left out."""
    prompts, figures = predictor.prompts(), {}
    for senses in (("image",), ("audio",), ("image", "audio")):
        chosen = [one for one in recordings if one.has(senses)]
        if chosen:
            encoded = {
                "image": predictor.encode("image", np.stack([one.frame(config) for one in chosen])),
                "audio": predictor.encode("audio", np.stack([one.window(config) for one in chosen])),
                "text": predictor.encode("text", np.zeros((len(chosen), config.text_length), np.int64)),
            }
            guess = predictor.fuse(encoded, senses, prompts)["scores"].argmax(axis=1)
            figures[" + ".join(senses)] = float(np.mean(guess == [one.label for one in chosen]))
    return figures
