"""What a launch file can say."""

from __future__ import annotations

from collections.abc import Iterable

from launch.conditions import IfCondition
from launch.context import LaunchContext


class Action:
    """Something to do, if its condition holds."""

    def __init__(self, *, condition: IfCondition | None = None) -> None:
        self.condition = condition

    def execute(self, context: LaunchContext) -> Iterable[Action] | None:
        """Do it; what is to be done next."""
        raise NotImplementedError


def visit(actions: Iterable[Action] | Action | None, context: LaunchContext) -> None:
    """Do them in turn, and what follows from each."""
    for action in [actions] if isinstance(actions, Action) else actions or ():
        if not isinstance(action, Action):
            raise TypeError(f"expected an action, got {action!r}")
        if action.condition is None or action.condition.evaluate(context):
            visit(action.execute(context), context)
