"""Stand-ins for launch and launch_ros, which no wheel brings: they keep what a launch file says, to be checked."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = {
    "launch": ("LaunchDescription",),
    "launch.actions": ("DeclareLaunchArgument", "ExecuteProcess", "LogInfo", "SetEnvironmentVariable", "Shutdown"),
    "launch.conditions": ("IfCondition",),
    "launch.substitutions": ("LaunchConfiguration", "PathJoinSubstitution"),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
    "launch_ros.parameter_descriptions": ("ParameterValue",),
    "launch_ros.substitutions": ("FindPackageShare",),
}


@dataclass
class Said:
    """One call of a launch file: what of, and with which arguments."""

    what: str
    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)


def launched(path: Path) -> list[Said]:
    """What a launch file describes."""
    with _doubles():
        (description,) = runpy.run_path(str(path))["generate_launch_description"]().arguments
    return list(description)


def configurations(said: Any) -> set[str]:
    """The names of all launch arguments that are used in it."""
    if isinstance(said, Said):
        own = {said.arguments[0]} if said.what == "LaunchConfiguration" else set()
        return own | configurations(said.arguments) | configurations(said.named)
    if isinstance(said, dict):
        return configurations(list(said.values()))
    if isinstance(said, (list, tuple)):
        return set().union(*map(configurations, said))
    return set()


@contextmanager
def _doubles() -> Iterator[None]:
    kept = {name: sys.modules.get(name) for name in MODULES}
    for name, what in MODULES.items():
        module = sys.modules[name] = ModuleType(name)
        for each in what:
            setattr(module, each, lambda *arguments, _each=each, **named: Said(_each, arguments, named))
    try:
        yield
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
