"""The border of the command line: however a command ends, a user sees one line of why, and a code that says it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn, TextIO

WRONG = 2
INTERRUPTED = 128 + signal.SIGINT
NOBODY_READS = 128 + signal.SIGPIPE
"""As a shell says of programs that a signal ended."""


def guard(command: Callable[[], int]) -> NoReturn:
    """End this process with what the command returns; with one line on stderr and 2 where it raises.

    Ctrl-C gives 130, and a reader of the standard output that is gone, as `| head` is, 141. With -v an exception that
    nobody expected shows where it came from.
    """
    _settle_streams()
    threading.excepthook = lambda failed: _complain(failed.exc_value or failed.exc_type())
    code = _code_of(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interpreter's own end is not to be interrupted
    for stream in (sys.stdout, sys.stderr):
        code = _let_go(stream) or code
    sys.exit(code)


def _code_of(command: Callable[[], int]) -> int:
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
    except Exception as error:
        return _let_go(sys.stdout) or _complain(error)


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

    ours = type(error).__module__.startswith("edgefuse")
    if not ours and logging.getLogger("edgefuse").isEnabledFor(logging.INFO):
        print(without_credentials("".join(traceback.format_exception(error))), end="", file=sys.stderr)
    hint = "" if ours or isinstance(error, OSError) else "; -v shows where it comes from"
    print(f"edgefuse: {in_one_line(error)}{hint}", file=sys.stderr)
    return WRONG
