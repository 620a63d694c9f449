"""What the commands write on: the terminal, and the bar that shows how far they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import progress as bars
from rich.console import Console
from rich.markup import escape

from edgefuse.verbosity import is_quiet

if TYPE_CHECKING:
    from edgefuse.fusion.progress import Progress

_WIDTH_OF_A_FILE = 120


def open_console(stderr: bool = False) -> Console:
    """The terminal at its width; a file or pipe at one that tables fit."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDTH_OF_A_FILE)


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """A bar on the terminal, as what is told how far something is."""
    columns = (*bars.Progress.get_default_columns(), bars.TimeElapsedColumn())
    with bars.Progress(*columns, console=console, transient=True, disable=_is_unseen(console)) as bar:
        task = bar.add_task("", total=None)
        yield lambda stage, done, total: bar.update(task, description=escape(stage), completed=done, total=total)


@contextmanager
def still_bar(console: Console) -> Iterator[Progress]:
    """As `progress_bar`, but drawn only when called: in between no thread of it takes CPU time, which is measured."""
    with bars.Progress(console=console, transient=True, auto_refresh=False, disable=_is_unseen(console)) as bar:
        task = bar.add_task("", total=None)

        def show(stage: str, done: float, total: float | None) -> None:
            bar.update(task, description=escape(stage), completed=done, total=total, refresh=True)

        yield show


def _is_unseen(console: Console) -> bool:
    """A file or pipe would get nothing of a bar but an empty line."""
    return is_quiet() or not console.is_terminal
