"""Texts that are known only when the launch runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

from launch.context import LaunchContext


class Substitution:
    """One of them."""

    def perform(self, context: LaunchContext) -> str:
        """The text."""
        raise NotImplementedError


Text: TypeAlias = str | Substitution | Sequence[str | Substitution]


def performed(text: Text, context: LaunchContext) -> str:
    """All its parts joined."""
    if isinstance(text, str):
        return text
    if isinstance(text, Substitution):
        return text.perform(context)
    return "".join(performed(part, context) for part in text)


class LaunchConfiguration(Substitution):
    """The value of an argument."""

    def __init__(self, variable_name: str) -> None:
        self._name = variable_name

    def perform(self, context: LaunchContext) -> str:
        """See Substitution; raises LookupError for an argument that nobody declared."""
        context.used.add(self._name)
        try:
            return context.launch_configurations[self._name]
        except KeyError:
            raise LookupError(f"launch configuration '{self._name}' does not exist") from None


class PathJoinSubstitution(Substitution):
    """A path from its parts."""

    def __init__(self, substitutions: Sequence[Text]) -> None:
        self._parts = substitutions

    def perform(self, context: LaunchContext) -> str:
        """See Substitution."""
        return os.path.join(*(performed(part, context) for part in self._parts))
