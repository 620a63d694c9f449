"""Which samples a checkpoint's network is calibrated and judged on: those of the task that it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgefuse.export.errors import ExportError
from edgefuse.export.examples import tabletop_samples
from edgefuse.export.labelled_folder import folder_samples
from edgefuse.export.spec import TaskSamples
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.folder import shortened
from edgefuse.fusion.task import BuiltInTask, FolderTask, Task
from edgefuse.fusion.vocabulary import LABELS

TABLETOP = BuiltInTask(name="tabletop")

BUILT_IN: Mapping[BuiltInTask, Callable[[Checkpoint], TaskSamples]] = {TABLETOP: tabletop_samples}
"""All tasks that a checkpoint can name; any other data lies in a folder."""


class DataNotHereError(ExportError):
    """Nothing is here of what a network was trained on; `reason` says why, the message what to give as well."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}; give --data FOLDER with its pictures and sounds, or, to export and verify without accuracy, "
            "--calibration FILE of `edgefuse calibrate quantization`"
        )
        self.reason = reason


def task_of(checkpoint: Checkpoint) -> Task | None:
    """What a network was trained on. Older checkpoints do not say: by their labels it is the tabletop, or unknown."""
    if checkpoint.task is None and checkpoint.labels == LABELS:
        return TABLETOP
    return checkpoint.task


def task_samples(path: Path, checkpoint: Checkpoint, data: Path | None = None) -> TaskSamples:
    """Those of the folder `data`, else of the task that the checkpoint, read from `path`, was trained on.

    Raises DataNotHereError where its folder is gone or nobody knows what it was trained on, ExportError for what does
    not fit the network.
    """
    task = task_of(checkpoint)
    if data is not None:
        return folder_samples(checkpoint, task, data)
    match task:
        case BuiltInTask() if task in BUILT_IN:
            return BUILT_IN[task](checkpoint)
        case BuiltInTask():
            known = ", ".join(one.name for one in BUILT_IN)
            raise ExportError(f"{path} was trained on {task.name!r}; the built-in tasks of this version are {known}")
        case FolderTask() if Path(task.path).is_dir():
            return folder_samples(checkpoint, task, Path(task.path))
        case FolderTask():
            raise DataNotHereError(f"{path} was trained on the folder {task.path}, which is not here")
        case None:
            labels = shortened(checkpoint.labels)
            raise DataNotHereError(f"{path} does not say what it was trained on, only its labels ({labels})")
