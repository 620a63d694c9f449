"""What CONTRIBUTING.md says one has to touch to add something is what knows an example of its kind."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = ("runtime", "fusion", "tabletop", "export", "calibration", "bench", "edgefuse", "ros_nodes/edgefuse_ros")
SECTIONS = re.findall(
    r"^### ([^\n]+), as `(\w+)`\n(.*?)(?=^#|\Z)", (HOUSE / "CONTRIBUTING.md").read_text(), flags=re.M | re.S
)


def test_every_kind_has_a_section():
    kinds = {kind for kind, _, _ in SECTIONS}
    assert kinds == {"A kind of sense", "A kind of head", "An engine", "A stream", "A sink", "A task"}


@pytest.mark.parametrize(("example", "text"), [each[1:] for each in SECTIONS], ids=[each[1] for each in SECTIONS])
def test_the_files_that_know_an_example_are_those_that_are_listed(example, text):
    first_cells = re.findall(r"^\| (`.+?`) \|", text, flags=re.M)
    listed = {file for cell in first_cells for file in re.findall(r"`(.+?)`", cell)}
    assert listed == {str(path.relative_to(HOUSE)) for path in sources() if example in names(path)}


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`([\w/]+\.py)`", (HOUSE / "CONTRIBUTING.md").read_text()))))
def test_every_file_that_is_named_is_there(file):
    assert (HOUSE / file).is_file()


def sources() -> list[Path]:
    """Every module of the rooms; edgefuse/ also holds links to them."""
    found = [path for room in ROOMS if room != "edgefuse" for path in (HOUSE / room).rglob("*.py")]
    return found + list((HOUSE / "edgefuse").glob("*.py"))


@cache
def names(path: Path) -> set[str]:
    """What a module is called, and all that its code names."""
    found = {path.stem}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.ImportFrom(module=module, names=imported):
                found |= {alias.name for alias in imported} | set((module or "").split("."))
            case ast.Constant(value=str(text)):
                found |= set(text.split())
    return found
