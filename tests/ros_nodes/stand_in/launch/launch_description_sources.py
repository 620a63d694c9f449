"""Where a launch description comes from."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.description import LaunchDescription


class PythonLaunchDescriptionSource:
    """A launch file in Python."""

    def __init__(self, launch_file_path: str) -> None:
        self._path = launch_file_path

    def read(self) -> LaunchDescription:
        """What it describes."""
        description: LaunchDescription = runpy.run_path(self._path)["generate_launch_description"]()
        return description
