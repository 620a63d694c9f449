"""The signals that end a command: Ctrl-C, what systemd and `docker stop` send (SIGTERM), a lost terminal (SIGHUP).

All three do the same: what was begun is written whole, streams and processes are closed, and the exit code is 128 plus
the signal's number, as a shell says of programs that a signal ended.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STILL_ENDING = b"edgefuse: finishing what was begun; Ctrl-C once more leaves it unfinished\n"
_PATIENT = 2


class EndingSignals:
    """What the process was told: the first of them ends the command, later ones do not disturb its ending.

    Only the third Ctrl-C does: it ends the process at once, with what is written so far.
    """

    def __init__(self) -> None:
        self.heard: int | None = None
        self._interrupts = 0
        self._told: SimpleQueue[bool] | None = None

    @property
    def code(self) -> int | None:
        """The exit code, once one of them was heard."""
        return None if self.heard is None else 128 + self.heard

    def listen(self) -> None:
        """From now on the first one raises KeyboardInterrupt; those that are ignored, as by nohup, stay so."""
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._hear)

    def ignore(self) -> None:
        """From now on none of them does anything: the process is all but over."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def calling(self, end: Callable[[], None]) -> Iterator[None]:
        """Within, the first one has `end` called, in another thread, and interrupts nothing."""
        told: SimpleQueue[bool] = SimpleQueue()  # a signal handler may put into it, whatever it interrupted

        def wait() -> None:
            if told.get():
                end()

        waiting = threading.Thread(target=wait, name="ends the run when it is told to", daemon=True)
        waiting.start()
        self._told = told
        try:
            yield
        finally:
            told.put(False)
            waiting.join()
            self._told = None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self.heard is None:
            self.heard = number
            if self._told is None:
                raise KeyboardInterrupt
            self._told.put(True)
        elif number == signal.SIGINT:
            self._be_patient()

    def _be_patient(self) -> None:
        if self._interrupts > _PATIENT:
            os._exit(128 + signal.SIGINT)
        with suppress(OSError):
            os.write(2, _STILL_ENDING)


signals: Final = EndingSignals()
"""Those of this process."""
