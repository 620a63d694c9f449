"""The two ROS packages as colcon and pip see them."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from module_imports import imports

HOUSE = Path(__file__).parent.parent.parent
MSGS, ROS = HOUSE / "ros_nodes" / "edgefuse_msgs", HOUSE / "ros_nodes" / "edgefuse_ros"
OF_PYTHON = {"annotated_types", "cv2", "numpy", "pydantic"}
WHERE_INSTALLED = {"vision_msgs"}


def test_nodes_know_the_runtime_and_nothing_else_of_ours():
    for path in (ROS / "edgefuse_ros").glob("*.py"):
        ours = {module for module in imports(path) if module.split(".")[0] == "edgefuse"}
        assert all(module.startswith("edgefuse.runtime") for module in ours), path


def test_every_package_that_is_imported_is_declared():
    declared = {element.text for element in ElementTree.parse(ROS / "package.xml").iter("exec_depend")}
    modules = set().union(*map(imports, [*(ROS / "edgefuse_ros").glob("*.py"), *(ROS / "launch").iterdir()]))
    packages = {module.split(".")[0] for module in modules} - sys.stdlib_module_names
    assert packages - OF_PYTHON - WHERE_INSTALLED - {"edgefuse", "edgefuse_ros"} <= declared


def test_every_interface_is_built():
    files = {str(path.relative_to(MSGS)) for folder in ("msg", "srv") for path in (MSGS / folder).iterdir()}
    assert files == set(re.findall(r"(?:msg|srv)/\w+\.(?:msg|srv)", (MSGS / "CMakeLists.txt").read_text()))


def test_every_message_that_the_tests_need_is_declared():
    root = ElementTree.parse(ROS / "package.xml")
    declared = {element.text for kind in ("exec_depend", "test_depend") for element in root.iter(kind)}
    modules = set().union(*map(imports, Path(__file__).parent.glob("*.py")))
    needed = {module.split(".")[0] for module in modules if module.endswith((".msg", ".srv"))}
    assert needed - WHERE_INSTALLED <= declared


@pytest.mark.parametrize("package", [MSGS, ROS], ids=lambda package: package.name)
def test_a_package_is_whole_as_bloom_releases_it(package):
    root = ElementTree.parse(package / "package.xml").getroot()
    assert root.findtext("name") == package.name
    assert re.fullmatch(r"[^@\s]+@[^@\s]+\.\w+", root.find("maintainer").get("email"))
    assert root.findtext("license") == "Apache-2.0"
    assert (package / "LICENSE").read_text() == (HOUSE / "LICENSE").read_text()
    title, *sections = re.findall(r"^(.+)\n[-^]+$", (package / "CHANGELOG.rst").read_text(), re.MULTILINE)
    assert title == f"Changelog for package {package.name}"
    assert sections[0] == "Forthcoming"


def test_setup_py_says_what_the_manifest_says():
    root = ElementTree.parse(ROS / "package.xml").getroot()
    fields = ["name", "version", "description", "license", "maintainer", "maintainer-email"]
    command = [sys.executable, "setup.py", *(f"--{field}" for field in fields)]
    result = subprocess.run(command, cwd=ROS, capture_output=True, text=True, timeout=60, check=True)
    manifest = [*map(root.findtext, ("name", "version", "description", "license", "maintainer"))]
    assert result.stdout.splitlines() == [*manifest, root.find("maintainer").get("email")]


def test_nodes_that_colcon_installs_run_in_the_environment_that_is_active(tmp_path):
    """As colcon builds a package: by the Python that runs colcon, which knows nothing of edgefuse."""
    package = shutil.copytree(ROS, tmp_path / "edgefuse_ros")
    options = ["--single-version-externally-managed", "--prefix", tmp_path / "install", "--record", tmp_path / "record"]
    command = [*map(str, [sys.executable, "setup.py", "install", *options])]
    result = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    scripts = list((tmp_path / "install" / "lib" / "edgefuse_ros").iterdir())
    assert "perception_node" in {script.name for script in scripts}
    assert {script.read_text().splitlines()[0] for script in scripts} == {"#!/usr/bin/env python3"}


def test_every_node_has_an_entry_point():
    nodes = {path.stem for path in (ROS / "edgefuse_ros").glob("*_node.py") if "def main()" in path.read_text()}
    listed = re.search(r"NODES = \((.*)\)", (ROS / "setup.py").read_text())[1]
    assert nodes == set(re.findall(r"\w+", listed))


def test_the_messages_that_were_built_are_those_of_the_files(ros_installed):
    from edgefuse_msgs.msg import AudioChunk, Percept, Sense, Signal, Trace

    for kind in (AudioChunk, Percept, Sense, Signal, Trace):
        text = (MSGS / "msg" / f"{kind.__name__}.msg").read_text()
        fields = [line.split()[1] for line in text.splitlines() if line and not line.startswith("#")]
        assert list(kind.get_fields_and_field_types()) == fields


def test_launch_files_are_read_by_a_python_that_has_no_edgefuse():
    """`ros2 launch` runs in the system's Python, which sees edgefuse_ros and not the nodes' virtual environment."""
    waiting, read = {*(ROS / "launch").glob("*.py"), ROS / "edgefuse_ros" / "__init__.py"}, set()
    while waiting:
        path = waiting.pop()
        read.add(path)
        modules = imports(path)
        assert not {module.split(".")[0] for module in modules} & {"edgefuse", "annotated_types", "pydantic"}, path
        ours = {module.split(".")[1] for module in modules if module.startswith("edgefuse_ros.")}
        waiting |= {ROS / "edgefuse_ros" / f"{name}.py" for name in ours} - read
    assert len(read) > 3
