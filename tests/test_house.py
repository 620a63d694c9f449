"""The rules of the house: who may import whom, and the same words everywhere."""

import ast
from pathlib import Path

import pytest
from module_imports import imports

HOUSE = Path(__file__).parent.parent
MAY_IMPORT = {
    "fusion": set(),
    "runtime": set(),
    "calibration": {"runtime"},
    "tabletop": {"fusion", "runtime"},
    "export": {"fusion", "runtime", "calibration"},
    "bench": {"fusion", "runtime", "export"},
}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room):
    allowed = MAY_IMPORT[room] | {room}
    for path in (HOUSE / room).rglob("*.py"):
        ours = {module for module in imports(path) if module.split(".")[0] == "edgefuse"}
        strangers = {module for module in ours - {"edgefuse"} if module.split(".")[1] not in allowed}
        assert not strangers, f"{path.relative_to(HOUSE)} imports {strangers}"


def test_the_runtime_never_imports_torch():
    for path in (HOUSE / "runtime").rglob("*.py"):
        assert not {module for module in imports(path) if module.split(".")[0] == "torch"}, path


def test_nobody_knows_the_command_line():
    for room in MAY_IMPORT:
        for path in (HOUSE / room).rglob("*.py"):
            assert "edgefuse.cli" not in imports(path), path


def test_what_is_marked_abstract_cannot_be_made():
    """Python minds @abstractmethod only in a class that derives from ABC, or in a Protocol."""
    for path in (path for room in (*MAY_IMPORT, "ros_nodes") for path in (HOUSE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "abstractmethod" in ast.unparse(node):
                assert {"ABC", "Protocol"} & {ast.unparse(base) for base in node.bases}, f"{path}: {node.name}"


def test_the_words_of_the_way_are_the_same_in_the_readme_and_in_the_code():
    readme = (HOUSE / "README.md").read_text()
    perceiver = (HOUSE / "runtime" / "perceiver.py").read_text()
    for word in ("sample", "intake", "encoder", "token store", "fusion", "percept"):
        assert word in readme, word
        assert word in perceiver, word
