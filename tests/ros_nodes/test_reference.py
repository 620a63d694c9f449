"""docs/ros.md says what the nodes are."""

import re
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parent.parent.parent
PAGE = (HOUSE / "docs" / "ros.md").read_text()


def test_the_reference_is_what_is_generated(ros_installed):
    command = [sys.executable, HOUSE / "docs" / "ros_reference.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_files_that_it_names_are_there():
    named = re.findall(r"(?:docs|tests|ros_nodes)/[\w./]+[\w/]", PAGE)
    assert named
    assert all((HOUSE / path).exists() for path in named), named


def test_the_node_of_each_section_is_one_that_is_installed():
    listed = re.search(r"NODES = \((.*)\)", (HOUSE / "ros_nodes" / "edgefuse_ros" / "setup.py").read_text())[1]
    assert set(re.findall(r"^### (\w+)", PAGE, re.MULTILINE)) == set(re.findall(r"\w+", listed))
