"""How much is said: the options -v, -vv and -q, before a command's name or behind it.

What edgefuse logs goes to the standard error, one line each; results go to the standard output.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgefuse.runtime.errors import printable, without_credentials

_LOGGER = logging.getLogger("edgefuse")
_NAMES = {"verbose", "quiet"}


class _Lines(logging.Handler):
    """Prints to what is the standard error at that moment: a live table puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        said = printable(without_credentials(self.format(record)))
        print(f"edgefuse: {record.levelname.lower()}: {said}", file=sys.stderr)


def show_warnings() -> None:
    """Show the log of edgefuse from now on: its warnings and errors, unless an option says otherwise."""
    _LOGGER.setLevel(logging.WARNING)
    _LOGGER.propagate = False
    _LOGGER.addHandler(_Lines())


def is_quiet() -> bool:
    """Whether only errors and the result are wanted: no progress, no live table."""
    return not _LOGGER.isEnabledFor(logging.WARNING)


def _be_verbose(count: int) -> None:
    if count:
        _LOGGER.setLevel(logging.INFO if count == 1 else logging.DEBUG)


def _be_quiet(wanted: bool) -> None:
    if wanted:
        _LOGGER.setLevel(logging.ERROR)


Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        callback=_be_verbose,
        expose_value=False,
        show_default=False,
        help="say what is done; -vv: in detail",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_be_quiet, expose_value=False, help="only errors and the result")
]


def also_behind_commands(group: TyperGroup) -> TyperGroup:
    """The group, whose every command takes -v and -q as well, as the group itself does."""
    options = [parameter for parameter in group.params if parameter.name in _NAMES]
    for command in _below(group):
        command.params.extend(options)
    return group


def _below(group: TyperGroup) -> Iterator[Any]:
    for command in group.commands.values():
        yield command
        if isinstance(command, TyperGroup):
            yield from _below(command)
