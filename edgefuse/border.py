"""The border of the command line: however a command ends, a user sees one line of why, and a code that says it."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TextIO

from edgefuse.runtime.process.at_exit import close_all
from edgefuse.signals import signals

WRONG = 2
INTERRUPTED = 128 + signal.SIGINT
NOBODY_READS = 128 + signal.SIGPIPE
"""As a shell says of programs that a signal ended."""


def guard(command: Callable[[], int]) -> NoReturn:
    """End this process with what the command returns; with one line on stderr and 2 where it raises.

    Ctrl-C gives 130, SIGTERM 143, SIGHUP 129, and a reader of the standard output that is gone, as `| head` is, 141.
    With -v an exception that nobody expected shows where it came from.
    """
    _settle_streams()
    threading.excepthook = lambda failed: _complain(failed.exc_value or failed.exc_type())
    signals.listen()
    code = _code_of(command)
    signals.ignore()  # the interpreter's own end is not to be interrupted
    whole = close_all()
    for stream in (sys.stdout, sys.stderr):
        code = _let_go(stream) or code
    if not whole:  # a driver that hangs: the interpreter's end would abort in it, or wait for ever
        os._exit(code)
    sys.exit(code)


def _code_of(command: Callable[[], int]) -> int:
    """Of the signal that ended it, unless something went wrong all the same, such as a file that has no room."""
    try:
        code = _code_or_error(command)
    except Exception as error:
        if signals.code is None or _is_told(error):
            return _let_go(sys.stdout) or _complain(error)
        return signals.code
    return signals.code or code


def _code_or_error(command: Callable[[], int]) -> int:
    try:
        return command()
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):  # with which Typer gives a code of its own
            return NOBODY_READS
        return ending.code if isinstance(ending.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return NOBODY_READS


def _is_told(error: Exception) -> bool:
    """Also after a signal; else it may be what the interruption made of a library, or a terminal that is gone."""
    return _is_ours(error) or (isinstance(error, OSError) and error.errno != errno.EIO)


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.startswith("edgefuse")


def _settle_streams() -> None:
    """What stdout and stderr cannot encode is written out; a stream that was closed is not taken for a file opened."""
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(null)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # else print would take the standard output instead
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _let_go(stream: TextIO | None) -> int:
    """Write what waits in it; the code where that cannot be written, which is then thrown away."""
    if stream is None or stream.closed:
        return 0
    try:
        stream.flush()
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # else the interpreter tries again when it ends, and says so
        if isinstance(error, BrokenPipeError):
            return NOBODY_READS
        return _complain(OSError(error.errno, error.strerror, stream.name))
    return 0


def _complain(error: BaseException) -> int:
    from edgefuse.runtime.errors import in_one_line, without_credentials

    ours = _is_ours(error)
    if not ours and logging.getLogger("edgefuse").isEnabledFor(logging.INFO):
        print(without_credentials("".join(traceback.format_exception(error))), end="", file=sys.stderr)
    hint = "" if ours or isinstance(error, OSError) else "; -v shows where it comes from"
    with suppress(OSError):  # a terminal that is gone
        print(f"edgefuse: {in_one_line(error)}{hint}", file=sys.stderr)
    return WRONG
