"""When a node that died is not started again."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Final

from launch import Action, LaunchContext
from launch.actions import EmitEvent, LogInfo
from launch.events.process import ProcessExited, ShutdownProcess

DELAY_S: Final = 1.0  # more than none: in this time launch hears that a node is not to be started again
DEATHS: Final = 5
WITHIN_S: Final = 300.0
_TOLD_WRONG = 2  # the exit code of spin.py


class Respawn:
    """What a node that respawns does `on_exit`: one line, and it stays down, where another start would not help.

    That is after wrong parameters, which would be wrong again, and after 5 deaths within 5 minutes. Launch's own
    `respawn` looks at no exit code, and its `respawn_max_retries` (which Humble lacks) counts without end and says
    nothing: a node that dies once a day would stay down on the sixth day.
    """

    def __init__(self) -> None:
        self._died_s: deque[float] = deque(maxlen=DEATHS)

    def __call__(self, event: ProcessExited, context: LaunchContext) -> list[Action]:
        """What launch is to do about this end."""
        self._died_s.append(monotonic())
        why = self._why_not(event.returncode)
        if why is None or context.is_shutdown:
            return []
        return [
            LogInfo(msg=f"{event.process_name} is not started again: {why}"),
            EmitEvent(event=ShutdownProcess(process_matcher=lambda action: action is event.action)),
        ]

    def _why_not(self, returncode: int) -> str | None:
        if returncode == _TOLD_WRONG:
            return "what it was told is wrong, as it says above"
        if len(self._died_s) == DEATHS and self._died_s[-1] - self._died_s[0] < WITHIN_S:
            return f"it died {DEATHS} times within {WITHIN_S:.0f} s"
        return None
