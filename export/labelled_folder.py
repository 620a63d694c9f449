"""A folder of one's own, `FOLDER/<label>/<stem>.png|jpg` and `<stem>.wav`, as samples for export and verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgefuse.calibration.confidence import FEWEST_EXAMPLES
from edgefuse.export.errors import ExportError
from edgefuse.export.spec import subsets
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.examples import Examples, TaskSamples
from edgefuse.fusion.folder import FolderData, Recording, digests_of, read_folder, shorten
from edgefuse.fusion.folder_batches import remark
from edgefuse.fusion.sensor import degrade
from edgefuse.fusion.task_record import FolderRecord, TaskRecord
from edgefuse.fusion.tokenizer import token_ids

HELD = {"image": "pictures", "audio": "sounds"}
"""What a folder holds, by sense. It holds no text: that is made up of the labels, as in training."""

MOST_CALIBRATION = 512
MOST_HOLDOUT = 1000
MOST_VALIDATION = 2000
"""Examples that are taken of a large folder, evenly: as many as measuring needs, in a few minutes."""

SEED = 5102
LARGEST_NOISE = 0.5
NOISE_POWERS = (-4.0, -2.0)
"""As in training: half of the scale of the camera's noise, the amplitude of the microphone's as a power of ten."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A folder's examples: to measure ranges on, to measure errors on, and all that training never saw."""

    ranges: Sequence[Recording]
    holdout: Sequence[Recording]
    unseen: Sequence[Recording]


def folder_samples(checkpoint: Checkpoint, task: TaskRecord | None, folder: Path) -> TaskSamples:
    """Accuracy and confidence are measured on what training never saw, ranges on what it saw, if the folder has that.

    `task` is what the network was trained on, None where nobody knows, so that nothing can be said to be unseen. Raises
    ExportError in one line for a folder that cannot be read, or with labels that the network does not have.
    """
    try:
        found = read_folder(folder, checkpoint.config, checkpoint.labels)
    except FusionError as error:
        raise ExportError(str(error)) from error
    parts = parts_of(found, task)
    origin = f"examples of {found.folder}"
    holdout = examples_from_recordings(checkpoint, pick_evenly(parts.holdout, MOST_HOLDOUT), origin)
    samples = TaskSamples(
        calibration=usual(checkpoint, parts.ranges, origin),
        holdout=replace(holdout, labels=None),
        remarks=(*changes(found, task), *unmeasured(found, task, parts.unseen)),
    )
    if not parts.unseen:
        return samples
    unseen = f"{origin} that it was not trained on"
    return replace(
        samples,
        holdout=replace(holdout, origin=unseen),
        validation=lambda: examples_from_recordings(checkpoint, pick_evenly(parts.unseen, MOST_VALIDATION), unseen),
    )


def parts_of(found: FolderData, task: TaskRecord | None) -> Parts:
    """By what the network was trained on: of a folder's network, the files that are recorded; of others, none."""
    everything = [*found.training, *found.validation]
    trained_on = frozenset(task.trained_on) if isinstance(task, FolderRecord) else frozenset()
    new = {index: one.without(trained_on) for index, one in enumerate(everything)}
    unseen = {index: one for index, one in new.items() if one.digests and task is not None}
    rows = list(unseen) or list(range(len(everything)))
    if 2 * len(rows) > len(everything):  # too little would be left to measure ranges on
        rows = rows[1::2] or rows
    ranges = [one for index, one in enumerate(everything) if index not in set(rows)]
    return Parts(ranges or everything, [unseen.get(row, everything[row]) for row in rows], list(unseen.values()))


def examples_from_recordings(checkpoint: Checkpoint, recordings: Sequence[Recording], origin: str) -> Examples:
    """As they lie in the folder, as training validates on them."""
    config = checkpoint.config
    random = np.random.default_rng(SEED)
    remarks = [remark(checkpoint.labels[one.label], random) for one in recordings]
    present = {sense: np.array([one.has((sense,)) for one in recordings]) for sense in HELD}
    return Examples(
        samples={
            "image": np.stack([one.frame(config) for one in recordings]),
            "audio": np.stack([one.window(config) for one in recordings]),
            "text": token_ids(checkpoint.tokenizer, remarks),
        },
        labels=np.array([one.label for one in recordings], np.int64),
        present=present | {"text": np.zeros(len(recordings), bool)},
        origin=origin,
    )


def usual(checkpoint: Checkpoint, recordings: Sequence[Recording], origin: str) -> Examples:
    """What the robot will meet: half as they lie in the folder, half as a camera and a microphone would sense them."""
    half = MOST_CALIBRATION // 2
    some = pick_evenly(recordings, half)
    again = [some[index % len(some)] for index in range(half)]
    plain = examples_from_recordings(checkpoint, [*some, *again], origin)
    image, audio = plain.samples["image"], plain.samples["audio"]
    random = np.random.default_rng(SEED)
    image[len(some) :] = degrade(image[len(some) :], random.uniform(0, LARGEST_NOISE, half), random)
    audio[len(some) :] = [window_from_sound(one.pcm, audio.shape[1], random) for one in again]
    return replace(plain, labels=None, present={sense: plain.present[sense] for sense in HELD})


def window_from_sound(pcm: np.ndarray | None, samples: int, random: np.random.Generator) -> np.ndarray:
    """A window of faint noise that slides past the sound: whole, cut at either end, or not in it at all."""
    window = random.standard_normal(samples, dtype=np.float32)
    window *= np.float32(10 ** random.uniform(*NOISE_POWERS))
    if pcm is not None:
        beside = samples // 8
        place = int(random.integers(-len(pcm) - beside, samples + beside))
        first, last = min(samples, max(0, place)), max(0, min(samples, place + len(pcm)))
        window[first:last] += pcm[first - place : last - place]
    return np.clip(window, -1, 1)


def pick_evenly(recordings: Sequence[Recording], most: int) -> list[Recording]:
    """At most so many of them, evenly over their order."""
    rows = np.linspace(0, len(recordings) - 1, min(len(recordings), most)).round().astype(int)
    return [recordings[row] for row in rows]


def changes(found: FolderData, task: TaskRecord | None) -> Iterator[str]:
    """Whether the folder is another than in training, and where it lacks something."""
    here = digests_of((*found.training, *found.validation))
    if isinstance(task, FolderRecord) and here != (then := {*task.trained_on, *task.held_out}):
        yield (
            f"{found.folder} is not what the network was trained on: it holds {len(here & then)} of those {len(then)} "
            f"files, and {len(here - then)} others"
        )
    lacking = set(range(len(found.labels))) - {one.label for one in (*found.training, *found.validation)}
    if lacking:
        yield f"{found.folder} has no examples of {shorten([found.labels[label] for label in sorted(lacking)])}"


def unmeasured(found: FolderData, task: TaskRecord | None, unseen: Sequence[Recording]) -> Iterator[str]:
    """What the folder does not serve."""
    if task is None:
        yield (
            "accuracy and confidence are not measured: the checkpoint does not say what it was trained on, so that "
            "nothing here is known to be new to it; train again to have that recorded"
        )
        return
    if not unseen:
        yield f"accuracy and confidence are not measured: the network was trained on all that {found.folder} holds"
        return
    counts = {subset: sum(one.has(subset) for one in unseen) for subset in subsets(tuple(HELD))}
    none = [" + ".join(subset) for subset, count in counts.items() if not count]
    lacking = ", ".join([*none, "text"])
    yield f"accuracy and confidence are not measured with {lacking}: no unseen example of {found.folder} has that"
    few = [f"{' + '.join(subset)} ({count})" for subset, count in counts.items() if 0 < count < FEWEST_EXAMPLES]
    if few:
        yield f"confidence is not measured with {', '.join(few)}: {FEWEST_EXAMPLES} unseen examples at least"
    known = {one.label for one in (*found.training, *found.validation)} - {one.label for one in unseen}
    if known:
        names = shorten([found.labels[label] for label in sorted(known)])
        yield f"accuracy says nothing of {names}: the network was trained on all that the folder holds of it"
