"""What runs a launch description."""

from __future__ import annotations

import asyncio
import signal

from launch.action import visit
from launch.context import LaunchContext, say
from launch.description import LaunchDescription


class LaunchService:
    """Runs until all processes have ended, or Ctrl-C."""

    def __init__(self) -> None:
        self._context = LaunchContext()
        self._descriptions: list[LaunchDescription] = []

    def include_launch_description(self, description: LaunchDescription) -> None:
        """To be run."""
        self._descriptions.append(description)

    def run(self) -> int:
        """The exit code."""
        return asyncio.run(self._run())

    async def _run(self) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._on_sigint)
        self._context.attempt(lambda: visit(self._descriptions, self._context))
        while self._context.tasks:
            await asyncio.wait(self._context.tasks)
            await asyncio.sleep(0)  # what is to be done on an exit may start more
        return self._context.return_code

    def _on_sigint(self) -> None:
        say("launch", "user interrupted with ctrl-c (SIGINT)", "WARNING")
        self._context.shut_down(due_to_sigint=True)
