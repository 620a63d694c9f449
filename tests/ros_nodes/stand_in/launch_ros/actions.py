"""A node as a process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from launch.actions import ExecuteProcess
from launch.conditions import IfCondition
from launch.context import LaunchContext, say
from launch.process import OnExit
from launch.substitutions import Text, performed

from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import prefix_of

Parameters: TypeAlias = dict[str, Any]


class Node(ExecuteProcess):
    """An executable of a package, told its name, parameters and remaps."""

    def __init__(
        self,
        *,
        package: str,
        executable: str,
        name: str,
        namespace: Text,
        parameters: Sequence[Text | Parameters],
        remappings: Sequence[tuple[str, Text]],
        output: str,
        on_exit: OnExit = None,
        respawn: bool | Text = False,
        respawn_delay: float = 0.0,
        condition: IfCondition | None = None,
    ) -> None:
        super().__init__(
            cmd=[],
            output=output,
            on_exit=on_exit,
            respawn=respawn,
            respawn_delay=respawn_delay,
            condition=condition,
        )
        self._package = package
        self._executable = executable
        self._name = name
        self._namespace = namespace
        self._parameters = parameters
        self._remappings = remappings

    def command(self, context: LaunchContext) -> list[str]:
        """Its words."""
        namespace = "/" + performed(self._namespace, context).strip("/")
        executable = prefix_of(self._package) / "lib" / self._package / self._executable
        options = ["-r", f"__node:={self._name}", "-r", f"__ns:={namespace}"]
        for parameters in self._parameters:
            options += self._of_parameters(parameters, namespace, context)
        for topic, other in self._remappings:
            options += ["-r", f"{topic}:={performed(other, context)}"]
        return [str(executable), "--ros-args", *options]

    def _of_parameters(self, parameters: Text | Parameters, namespace: str, context: LaunchContext) -> list[str]:
        if isinstance(parameters, dict):
            values = {name: _evaluated(value, context) for name, value in parameters.items()}
            return ["--params-file", _written(f"{namespace.rstrip('/')}/{self._name}", values)]
        file = performed(parameters, context)
        if not Path(file).is_file():
            say("launch_ros.actions.node", f"Parameter file path is not a file: {file}", "WARNING")
            return []
        return ["--params-file", file]


def _evaluated(value: Any, context: LaunchContext) -> Any:
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"the stand-in knows no parameter {value!r}")


def _written(node: str, values: Parameters) -> str:
    """The file of a node's parameters; it stays, as those of launch_ros do."""
    with tempfile.NamedTemporaryFile("w", prefix="launch_params_", delete=False) as file:
        yaml.safe_dump({node: {"ros__parameters": values}}, file)
    return file.name
