"""Values of parameters."""

from __future__ import annotations

from launch.conditions import truth
from launch.context import LaunchContext
from launch.substitutions import Text, performed


class ParameterValue:
    """A text as a value of a type."""

    def __init__(self, value: Text, *, value_type: type[str] | type[float] | type[bool]) -> None:
        if value_type not in (str, float, bool):
            raise TypeError(f"the stand-in knows no parameter of type {value_type}")
        self._value = value
        self._type = value_type

    def evaluate(self, context: LaunchContext) -> str | float | bool:
        """Raises ValueError for a text that is none of the type."""
        text = performed(self._value, context)
        return truth(text) if self._type is bool else self._type(text)
