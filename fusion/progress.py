"""Progress bars for `train` and `evaluate`."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgefuse.fusion.task import EvaluationProgress, TrainingProgress

STAGES = {"steps": "training", "fusion": "fusion alone"}
"""Of training; a task says its own in words."""


def bars(console: Console | None) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[losses]}"), console=console)


@contextmanager
def training_bars(console: Console | None = None) -> Iterator[TrainingProgress]:
    """Bars while the block runs, from the first progress on; yields what `train` takes as `progress`."""
    shown, tasks = bars(console), dict[str, TaskID]()

    def progress(stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        if not tasks:
            shown.start()
        if stage not in tasks:
            tasks[stage] = shown.add_task(STAGES.get(stage, stage), losses="")
        text = "  ".join(f"{name} {value:.2f}" for name, value in losses.items() if name in ("total", "fused"))
        shown.update(tasks[stage], completed=done, total=total, losses=text)

    try:
        yield progress
    finally:
        if tasks:
            shown.stop()


@contextmanager
def evaluation_bar(console: Console | None = None) -> Iterator[EvaluationProgress]:
    """A bar while the block runs; yields what `measure_checkpoint` takes as `progress`."""
    with bars(console) as shown:
        task = shown.add_task("evaluating", losses="")

        def progress(what: str, done: int, total: int) -> None:
            shown.update(task, completed=done, total=total, losses=what)

        yield progress
