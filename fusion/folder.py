"""Training on a folder of one's own, laid out as folder_listing.py says.

A picture and a sound of the same stem are one example; either may be missing. The label's words are the class's prompt.
A sub-folder "nothing" holds what shows and says nothing. Every fifth example is kept for validation, but for those of
its files that hold the same as one that is trained on. What is left out, and what the folder lacks, is logged.
"""

import hashlib
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.errors import DataError
from edgefuse.fusion.folder_files import is_silent, picture_from_bytes, read_whole, sound_from_bytes
from edgefuse.fusion.folder_listing import WHAT, ClassFolder, LeftOut, Sense, list_folder, shown
from edgefuse.fusion.labels import NOTHING
from edgefuse.fusion.prediction import Predictor
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.fusion.task_record import DIGEST_DIGITS, FolderRecord

VALIDATION_EVERY = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """One example: image uint8 (rows, columns, 3) RGB or None; pcm float32 (samples,) 16 kHz or None; label: class;
    digests: of its files by sense, the same wherever they lie and whatever they are called."""

    image: np.ndarray | None
    pcm: np.ndarray | None
    label: int
    digests: Mapping[Sense, str]

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


def read_folder(
    folder: str | Path, config: NetworkConfig, labels: Sequence[str] | None = None, progress: Progress = unseen
) -> FolderData:
    """`labels` are the classes of a network that is trained already, by default the sub-folders' names, sorted.

    Logs what is left out. Raises `DataError`, one line, for a folder without classes, a class that is none of `labels`,
    and for files that cannot be read or make no sense.
    """
    folder, left_out = (
        Path(os.path.realpath(folder)),
        LeftOut(),
    )  # a loop of links is no folder, and raises nothing here
    classes = list_folder(folder, left_out)
    known = [one.label for one in classes] if labels is None else list(labels)
    for one in classes:
        if one.label not in known:
            raise DataError(f"{one.path}: {one.label!r} is none of the network's {len(known)} labels: {shorten(known)}")
    read = read_examples(classes, known, left_out, config, progress)
    found = divide(folder, known, classes, without_contradictions(read, left_out))
    for line in (left_out.in_words(folder), *lacks(found)):
        if line is not None:
            log.warning("%s: %s", shown(folder), line)
    return found


Read = list[list[tuple[Mapping[Sense, Path], Recording]]]
"""Of each class its examples, each with its files."""


def read_examples(
    classes: Sequence[ClassFolder], known: Sequence[str], left_out: LeftOut, config: NetworkConfig, progress: Progress
) -> Read:
    """All of them; raises `DataError` with the first file that makes no sense, and how many more there are."""
    read: Read = []
    faults: list[DataError] = []
    done, total = 0, sum(len(one.examples) for one in classes)
    for one in classes:
        examples = []
        for files in one.examples.values():
            try:
                examples.append((files, read_recording(files, known.index(one.label), config)))
            except DataError as error:
                faults.append(error)
            done += 1
            progress("reading the folder", done, total)
        read.append(
            [(files, left) for files, whole in examples if (left := heard(whole, one, files, left_out)).digests]
        )
    if faults:
        more = f" (and {len(faults) - 1} more files cannot be used)" if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{more}")
    return read


def heard(one: Recording, where: ClassFolder, files: Mapping[Sense, Path], left_out: LeftOut) -> Recording:
    """The example without a sound that holds none, but for the class of what says nothing."""
    if one.pcm is None or where.label == NOTHING or not is_silent(one.pcm):
        return one
    left_out.add("silent sounds", files["audio"])
    return Recording(
        one.image, None, one.label, {sense: one.digests[sense] for sense in one.digests if sense != "audio"}
    )


def without_contradictions(read: Read, left_out: LeftOut) -> list[list[Recording]]:
    """The examples of each class, without the files that lie in another class as well."""
    labels: dict[str, set[int]] = {}
    for examples in read:
        for _, one in examples:
            for digest in one.digests.values():
                labels.setdefault(digest, set()).add(one.label)
    contradicting = {digest for digest, classes in labels.items() if len(classes) > 1}
    for examples in read:
        for files, one in examples:
            for sense, file in files.items():
                if one.digests.get(sense) in contradicting:
                    left_out.add("that lie in another class too", file)
    return [[left for _, one in examples if (left := one.without(contradicting)).digests] for examples in read]


def divide(
    folder: Path, known: Sequence[str], classes: Sequence[ClassFolder], examples: Sequence[Sequence[Recording]]
) -> FolderData:
    """Into what is trained on and what is held out; raises `DataError` for a class of which nothing is left."""
    training: list[Recording] = []
    validation: list[Recording] = []
    for one, recordings in zip(classes, examples, strict=True):
        if not recordings:
            raise DataError(
                f"{shown(one.path)}: all that it holds is silent or lies in another class too; take the folder away"
            )
        for index, recording in enumerate(recordings):
            kept = validation if index % VALIDATION_EVERY == VALIDATION_EVERY - 1 else training
            kept.append(recording)
    trained_on = digests_of(training)
    training += [one for one in validation if not one.without(trained_on).digests]
    held_out = [new for one in validation if (new := one.without(trained_on)).digests]
    return FolderData(folder, tuple(known), tuple(training), tuple(held_out))


def lacks(found: FolderData) -> Iterator[str]:
    """What the examples are, and what is odd about them."""
    both = (*found.training, *found.validation)
    held: Mapping[Sense, int] = {sense: sum(one.has((sense,)) for one in both) for sense in WHAT}
    if min(held.values()) < len(both):
        has = " and ".join(f"{count} {WHAT[sense]}" for sense, count in held.items())
        nothing = [sense for sense, count in held.items() if not count]
        yield f"{len(both)} examples have {has}" + (f": {nothing[0]} is not learned" if nothing else "")
    files = sum(held.values())
    distinct = len(digests_of(both))
    if distinct < files:
        yield f"{files - distinct} files hold the same as another; none of these is trained on and held out as well"
    judged = {one.label for one in found.validation}
    unjudged = [found.labels[label] for label in sorted({one.label for one in both} - judged)]
    if unjudged:
        yield f"nothing is held out of {shorten(unjudged)}: every fifth example would be, if there were so many"


def shorten(names: Sequence[str], most: int = 12) -> str:
    """The names with commas between, the first few of many."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def read_recording(files: Mapping[Sense, Path], label: int, config: NetworkConfig) -> Recording:
    """The picture and the sound of one stem."""
    image, pcm, digests = None, None, {}
    for sense, file in files.items():
        content = read_whole(file)
        if sense == "audio":
            pcm = sound_from_bytes(content, file, config.sample_rate_hz)
        else:
            image = picture_from_bytes(content, file, config.image_size)
        digests[sense] = hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]
    return Recording(image, pcm, label, digests)


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
