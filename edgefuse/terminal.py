"""What the commands write on: the terminal, and what shows how far they are, a bar or, elsewhere, lines.

Labels, prompts and names of files come from outside. They are shown as they are: no part of them is taken for markup,
and none steers the terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from rich import progress as bars
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from edgefuse.runtime.errors import printable
from edgefuse.verbosity import is_quiet

if TYPE_CHECKING:
    from edgefuse.fusion.progress import Progress

_WIDTH_OF_A_FILE = 120
_LINE_EVERY_S = 10.0  # often enough to tell work from a hang, too seldom to fill a log


class _Terminal(Console):
    """Takes no text for markup or emoji, and writes control characters out."""

    def __init__(self, stderr: bool, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See Console: every text on its way to the terminal passes here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_in_lines(segment.text))

    def on_broken_pipe(self) -> NoReturn:
        """See Console; the border ends the process, with its own code."""
        raise BrokenPipeError


def _in_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def open_console(stderr: bool = False) -> Console:
    """The terminal at its width; a file or pipe at one that tables fit."""
    console = _Terminal(stderr)
    return console if console.is_terminal else _Terminal(stderr, _WIDTH_OF_A_FILE)


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """A bar on the terminal, lines elsewhere: what is told how far something is."""
    with (
        _lines(console) as tell,
        bars.Progress(
            *_columns(), bars.TimeElapsedColumn(), console=console, transient=True, disable=_is_unseen(console)
        ) as bar,
    ):
        task = bar.add_task("", total=None)

        def show(stage: str, done: float, total: float | None) -> None:
            tell(stage, done, total)
            bar.update(task, description=stage, completed=done, total=total)

        yield show


@contextmanager
def still_bar(console: Console) -> Iterator[Progress]:
    """As `progress_bar`, but drawn only when called: in between no thread of it takes CPU time, which is measured."""
    with (
        _lines(console) as tell,
        bars.Progress(
            *_columns(), console=console, transient=True, auto_refresh=False, disable=_is_unseen(console)
        ) as bar,
    ):
        task = bar.add_task("", total=None)

        def show(stage: str, done: float, total: float | None) -> None:
            tell(stage, done, total)
            bar.update(task, description=stage, completed=done, total=total, refresh=True)

        yield show


@contextmanager
def _lines(console: Console) -> Iterator[Progress]:
    """Where there is no terminal: on the standard error, every 10 s, for how long it has gone on and how far it is.

    The thread that says so takes some microseconds of each 10 s.
    """
    if is_quiet() or console.is_terminal:
        yield lambda stage, done, total: None
        return
    newest: list[str] = [""]
    over = threading.Event()
    begun_s = time.monotonic()

    def tell(stage: str, done: float, total: float | None) -> None:
        newest[0] = f": {stage}" + (f", {done:.0f} of {total:.0f}" if total else "")

    def speak() -> None:
        while not over.wait(_LINE_EVERY_S):
            with suppress(OSError, ValueError):  # nobody reads it
                said = f"edgefuse: {time.monotonic() - begun_s:.0f} s{newest[0]} ..."
                print(printable(said), file=sys.stderr, flush=True)

    speaker = threading.Thread(target=speak, name="progress", daemon=True)
    speaker.start()
    try:
        yield tell
    finally:
        over.set()
        speaker.join()


def _columns() -> tuple[bars.ProgressColumn, ...]:
    """The usual ones, but that what is done may be called [x]."""
    stage = bars.TextColumn("{task.description}", style="progress.description", markup=False)
    return stage, *bars.Progress.get_default_columns()[1:]


def _is_unseen(console: Console) -> bool:
    """A file or pipe would get nothing of a bar but an empty line."""
    return is_quiet() or not console.is_terminal
