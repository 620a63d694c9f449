"""Which task a network is of: one of a fixed table, or a folder. Nothing that a file names is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgefuse.export.errors import DataNotHereError, ExportError
from edgefuse.export.labelled_folder import folder_samples
from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.examples import TaskSamples
from edgefuse.fusion.folder import shorten
from edgefuse.fusion.labels import PromptTexts, prompts_of_labels
from edgefuse.fusion.task import BuiltInTask
from edgefuse.fusion.task_record import BuiltInRecord, FolderRecord, TaskRecord
from edgefuse.tabletop.task import TABLETOP

DEFAULT: BuiltInTask = TABLETOP
"""What is trained on, and what a preset is measured on, where nothing is named."""

BUILT_IN: Mapping[str, BuiltInTask] = {task.name: task for task in (DEFAULT,)}
"""All tasks that a checkpoint can name; any other data lies in a folder."""


def built_in_with(labels: Sequence[str]) -> BuiltInTask | None:
    """The built-in task of these labels, if it is one."""
    return next((task for task in BUILT_IN.values() if task.labels == tuple(labels)), None)


def record_of(checkpoint: Checkpoint) -> TaskRecord | None:
    """What a network was trained on. Older checkpoints do not say: by its labels a built-in task, or None."""
    if checkpoint.task is not None:
        return checkpoint.task
    task = built_in_with(checkpoint.labels)
    return None if task is None else BuiltInRecord(name=task.name)


def find_samples(path: Path, checkpoint: Checkpoint, data: Path | None = None) -> TaskSamples:
    """Those of the folder `data`, else of the task that the checkpoint, read from `path`, was trained on.

    Raises DataNotHereError where its folder is gone or nobody knows what it was trained on, ExportError for what does
    not fit the network, FusionError for what a task raises.
    """
    record = record_of(checkpoint)
    return replace(_samples(path, checkpoint, record, data), prompts=prompts_of(record, checkpoint))


def prompts_of(record: TaskRecord | None, checkpoint: Checkpoint) -> PromptTexts | None:
    """Those that training gave; None where nobody knows."""
    match record:
        case BuiltInRecord() if record.name in BUILT_IN:
            return BUILT_IN[record.name].prompts
        case FolderRecord():
            return prompts_of_labels(checkpoint.labels)
    return None


def _samples(path: Path, checkpoint: Checkpoint, record: TaskRecord | None, data: Path | None) -> TaskSamples:
    if data is not None:
        return folder_samples(checkpoint, record, data)
    match record:
        case BuiltInRecord():
            return _built_in(path, record, checkpoint).samples(checkpoint.tokenizer)
        case FolderRecord() if Path(record.path).is_dir():
            return folder_samples(checkpoint, record, Path(record.path))
        case FolderRecord():
            raise DataNotHereError(f"{path} was trained on the folder {record.path}, which is not here")
        case None:
            labels = shorten(checkpoint.labels)
            raise DataNotHereError(f"{path} does not say what it was trained on, only its labels ({labels})")


def _built_in(path: Path, record: BuiltInRecord, checkpoint: Checkpoint) -> BuiltInTask:
    if record.name not in BUILT_IN:
        known = ", ".join(BUILT_IN)
        raise ExportError(f"{path} was trained on {record.name!r}; the built-in tasks of this version are {known}")
    task = BUILT_IN[record.name]
    if checkpoint.labels != task.labels:
        raise ExportError(f"{path} says that it is of the {task.name} task, but has other labels; train it again")
    return task
