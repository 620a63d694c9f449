"""What a launch file would run, as JSON: python -m launch.described FILE ARGUMENT:=VALUE ..."""

from __future__ import annotations

import json
import sys
from typing import Any

from launch.action import visit
from launch.actions import DeclareLaunchArgument
from launch.context import LaunchContext
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.process import Process


class Described(LaunchContext):
    """Keeps the processes, and starts none."""

    def start(self, process: Process) -> None:
        """See LaunchContext."""
        self.processes.append(process)


def main(path: str, *arguments: str) -> None:
    description = PythonLaunchDescriptionSource(path).read()
    context = Described()
    context.launch_configurations |= dict(argument.split(":=", 1) for argument in arguments)
    visit(description, context)
    declared = [entity for entity in description.entities if isinstance(entity, DeclareLaunchArgument)]
    described: dict[str, Any] = {
        "arguments": [[argument.name, argument.description] for argument in declared],
        "values": context.launch_configurations,
        "used": sorted(context.used),
        "commands": [process.command for process in context.processes],
        "environments": [process.environment for process in context.processes],
    }
    json.dump(described, sys.__stdout__)


if __name__ == "__main__":
    main(*sys.argv[1:])
