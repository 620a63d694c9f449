"""One process, from its start to its end for good."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from launch.action import Action, visit
from launch.context import LaunchContext, say
from launch.events.process import ProcessExited

OnExit: TypeAlias = Action | list[Action] | Callable[[ProcessExited, LaunchContext], Iterable[Action]] | None
_TERM_AFTER_S = 5
_KILL_AFTER_S = 10
_NUMBERS = itertools.count(1)


@dataclass(eq=False)
class Process:
    """What is run, and how."""

    action: Action
    command: list[str]
    environment: dict[str, str]
    on_exit: OnExit
    respawn: bool
    respawn_delay_s: float
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{os.path.basename(self.command[0])}-{next(_NUMBERS)}"
        self._stopped = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._timers: list[asyncio.TimerHandle] = []

    async def run(self, context: LaunchContext) -> None:
        """Until it is not started again. What is to be done on its exit is done while a new start is waited for."""
        while True:
            code = await self._run_once()
            asyncio.get_running_loop().call_soon(self._handle_exit, code, context)
            if not self.respawn or context.is_shutdown or self._stopped.is_set():
                break
            if self.respawn_delay_s:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), self.respawn_delay_s)
            if self._stopped.is_set():
                break
        self._stopped.set()
        for timer in self._timers:
            timer.cancel()

    def shut_down(self, send_sigint: bool) -> None:
        """See Stoppable: by SIGINT, and by force where that does not help."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if send_sigint:
            self._signal(signal.SIGINT)
        loop = asyncio.get_running_loop()
        self._timers = [
            loop.call_later(_TERM_AFTER_S, self._escalate, signal.SIGINT, signal.SIGTERM, _TERM_AFTER_S),
            loop.call_later(_KILL_AFTER_S, self._escalate, signal.SIGTERM, signal.SIGKILL, _KILL_AFTER_S),
        ]

    async def _run_once(self) -> int:
        pipe = asyncio.subprocess.PIPE
        process = self._process = await asyncio.create_subprocess_exec(
            *self.command, env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        say(self.name, f"process started with pid [{process.pid}]")
        if self._stopped.is_set():  # meanwhile
            self._signal(signal.SIGINT)
        await asyncio.gather(self._show(process.stdout), self._show(process.stderr))
        code = await process.wait()
        if code == 0:
            say(self.name, f"process has finished cleanly [pid {process.pid}]")
        else:
            ended = f"process has died [pid {process.pid}, exit code {code}, cmd '{' '.join(self.command)}']."
            say(self.name, ended, "ERROR")
        return code

    async def _show(self, output: asyncio.StreamReader | None) -> None:
        assert output is not None, "a process without a pipe"
        async for line in output:
            print(f"[{self.name}] {line.decode(errors='replace').rstrip()}", flush=True)

    def _handle_exit(self, code: int, context: LaunchContext) -> None:
        event = ProcessExited(self.action, self.name, code)
        follows = self.on_exit
        context.attempt(lambda: visit(follows(event, context) if callable(follows) else follows, context))

    def _escalate(self, tried: signal.Signals, number: signal.Signals, after_s: int) -> None:
        said = f"failed to terminate '{after_s}' seconds after receiving '{tried.name}', escalating to '{number.name}'"
        say(self.name, f"process[{self.name}] {said}", "ERROR")
        self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            say(self.name, f"sending signal '{number.name}' to process[{self.name}]")
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
