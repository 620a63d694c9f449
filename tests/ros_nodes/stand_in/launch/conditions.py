"""Whether an action is done."""

from __future__ import annotations

from launch.context import LaunchContext
from launch.substitutions import Text, performed


class IfCondition:
    """If a text is true."""

    def __init__(self, predicate_expression: Text) -> None:
        self._expression = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
        """Raises ValueError for what is neither true nor false."""
        return truth(performed(self._expression, context))


def truth(text: str) -> bool:
    """Of a text; raises ValueError."""
    word = text.strip().lower()
    if word not in ("true", "1", "false", "0"):
        raise ValueError(f"{text!r} is neither of true, 1, false, 0")
    return word in ("true", "1")
