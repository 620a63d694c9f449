"""A checkpoint measured on a built-in task, and the figures kept with it."""

import json
from dataclasses import replace
from pathlib import Path

from edgefuse.fusion.checkpoint import load_checkpoint, save_checkpoint
from edgefuse.fusion.errors import CheckpointError
from edgefuse.fusion.prediction import NetworkPredictor
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.fusion.task import BuiltInTask, Report


def measure_checkpoint(path: str | Path, task: BuiltInTask, progress: Progress = unseen) -> Report:
    """Evaluates a checkpoint of the task in PyTorch; writes the report beside it (report.json) and the main figures
    into it. Raises `CheckpointError`, also for a network of other labels, and what the task raises."""
    path = Path(path)
    checkpoint = load_checkpoint(path)
    if checkpoint.labels != task.labels:
        raise CheckpointError(f"{path}: its labels are not the {task.name} task's, which this table is of")
    report = task.evaluate(NetworkPredictor(checkpoint), checkpoint.tokenizer, progress)
    path.with_name("report.json").write_text(json.dumps(report.as_json(), indent=1) + "\n")
    save_checkpoint(path, replace(checkpoint, figures={**checkpoint.figures, **report.figures()}))
    return report
