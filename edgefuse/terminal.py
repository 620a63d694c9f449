"""What the commands write on: the terminal, and the bar that shows how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TimeElapsedColumn

from edgefuse.verbosity import is_quiet

_WIDTH_OF_A_FILE = 120


def open_console(stderr: bool = False) -> Console:
    """The terminal at its width; a file or pipe at one that tables fit."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDTH_OF_A_FILE)


def progress_console() -> Console:
    """Where progress is shown: nowhere, if only the result is wanted."""
    return Console(quiet=is_quiet())


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[str, float, float | None], None]]:
    """A bar on the terminal, as a function of stage, steps done and steps in all (None: nobody knows)."""
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=is_quiet()) as progress:
        task = progress.add_task("", total=None)
        yield lambda stage, done, total: progress.update(task, description=escape(stage), completed=done, total=total)


@contextmanager
def still_bar(console: Console) -> Iterator[Callable[[str, float, float | None], None]]:
    """As `progress_bar`, but drawn only when called: in between no thread of it takes CPU time, which is measured."""
    with Progress(console=console, transient=True, auto_refresh=False, disable=is_quiet()) as progress:
        task = progress.add_task("", total=None)

        def show(stage: str, done: float, total: float | None) -> None:
            progress.update(task, description=escape(stage), completed=done, total=total, refresh=True)

        yield show
