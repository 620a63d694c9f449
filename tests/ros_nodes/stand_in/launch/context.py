"""What is known while a launch runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol


class Stoppable(Protocol):
    """A process that was started."""

    action: Any

    def shut_down(self, send_sigint: bool) -> None:
        """End it, and do not start it again."""


class LaunchContext:
    """The arguments' values, and what runs."""

    def __init__(self) -> None:
        self.launch_configurations: dict[str, str] = {}
        self.used: set[str] = set()
        self.is_shutdown = False
        self.return_code = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.processes: list[Stoppable] = []

    @property
    def environment(self) -> dict[str, str]:
        """Of new processes."""
        return dict(os.environ)

    def start(self, process: Any) -> None:
        """Run a process beside the others."""
        self.processes.append(process)
        self.begin(process.run(self))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; the launch lasts as long."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def shut_down(self, due_to_sigint: bool) -> None:
        """End all; a terminal's Ctrl-C has told the processes already."""
        self.is_shutdown = True
        for process in self.processes:
            process.shut_down(send_sigint=not due_to_sigint)

    def attempt(self, act: Callable[[], None]) -> None:
        """An exception ends the launch, with one line."""
        try:
            act()
        except Exception as error:  # whatever a launch file raises
            say("launch", f"Caught exception in launch (see debug for traceback): {error}", "ERROR")
            self.return_code = 1
            self.shut_down(due_to_sigint=False)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.attempt(task.result)


def say(who: str, what: str, level: str = "INFO") -> None:
    """A line of the log, on the screen."""
    print(f"[{level}] [{who}]: {what}", flush=True)
