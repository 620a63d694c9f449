"""A ROS domain for a test; where there is no ROS 2, the tests of this folder say so and are skipped."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parent.parent / "runtime"))

from ros_domain import Ros

NEEDED = ("rclpy", "edgefuse_msgs", "edgefuse_ros")
SKIPPED = "no ROS 2 here: `make ros` installs its wheels (x86_64) and builds edgefuse_msgs; or source a ROS 2 workspace"


@pytest.fixture(scope="session")
def ros_installed() -> None:
    """What can only be tested with ROS 2."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: {SKIPPED}")


@pytest.fixture
def ros(ros_installed: None, tmp_path: Path) -> Iterator[Ros]:
    """A domain of the test's own."""
    opened = Ros(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def other_ros(ros_installed: None, tmp_path: Path) -> Iterator[Ros]:
    """Another domain."""
    logs = tmp_path / "other"
    logs.mkdir()
    opened = Ros(logs)
    yield opened
    opened.close()
