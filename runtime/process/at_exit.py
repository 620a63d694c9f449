"""The end of the interpreter: what has threads is closed before it.

A daemon thread that the interpreter takes away while it is inside a library's C++ code aborts the process (SIGABRT,
until Python 3.14), and PortAudio's own end waits for streams that are open.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

_LONGEST_S = 5.0
_LOOK_EVERY_S = 0.005
_T = TypeVar("_T")

log = logging.getLogger(__name__)

_open: weakref.WeakKeyDictionary[Any, Callable[[Any], object]] = weakref.WeakKeyDictionary()
_changing = threading.Lock()
_ending = threading.Event()
_inside: list[int] = []  # threads, as often as they are; a list, since appending to one and removing are atomic


class _Inside:
    """A context; a thread that enters it when the end has begun waits there for it, unless it is the main one."""

    def __enter__(self) -> None:
        _inside.append(threading.get_ident())
        if _ending.is_set() and threading.current_thread().daemon:
            _inside.remove(threading.get_ident())
            threading.Event().wait()

    def __exit__(self, *error: object) -> None:
        _inside.remove(threading.get_ident())


inside: Final = _Inside()
"""Where no thread is to be taken away from: in a library's code."""


def close_at_exit(thing: _T, close: Callable[[_T], object]) -> None:
    """Have `close(thing)` called when the interpreter ends, the newest first, unless it was told to `forget` it."""
    with _changing:
        _open[thing] = close
    be_first_at_exit()


def forget(thing: object) -> None:
    """It is closed."""
    with _changing:
        _open.pop(thing, None)


def be_first_at_exit() -> None:
    """Close before all that has registered itself for the interpreter's end so far, such as a library's own closing."""
    if not _ending.is_set():
        atexit.unregister(close_all)
        atexit.register(close_all)


def close_all() -> bool:
    """Close what is still open, and wait for threads to come out of libraries; False where one does not."""
    _ending.set()
    while (last := _take_newest()) is not None:
        thing, close = last
        try:
            close(thing)
        except Exception as error:  # the others are closed all the same
            log.error("%s", error)
    until = time.monotonic() + _LONGEST_S
    while _others_are_inside() and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
    return not _others_are_inside()


def _begin_anew() -> None:
    """In a fork, whose parent closes what is its own."""
    global _changing
    _changing = threading.Lock()
    _open.clear()
    _inside.clear()


atexit.register(close_all)
os.register_at_fork(after_in_child=_begin_anew)


def _take_newest() -> tuple[Any, Callable[[Any], object]] | None:
    with _changing:
        things = list(_open.items())
        if things:
            del _open[things[-1][0]]
    return things[-1] if things else None


def _others_are_inside() -> bool:
    return any(thread != threading.get_ident() for thread in list(_inside))
