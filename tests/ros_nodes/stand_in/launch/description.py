"""What a launch file returns."""

from __future__ import annotations

from collections.abc import Iterable

from launch.action import Action
from launch.context import LaunchContext


class LaunchDescription(Action):
    """Actions in turn."""

    def __init__(self, entities: Iterable[Action]) -> None:
        super().__init__()
        self.entities = list(entities)

    def execute(self, context: LaunchContext) -> Iterable[Action]:
        """See Action."""
        return self.entities
