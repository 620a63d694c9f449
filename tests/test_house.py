"""The rules of the house: who may import whom, and the same words everywhere."""

import ast
import re
from pathlib import Path

import pytest
from module_imports import imports

from edgefuse.tabletop.vocabulary import COLORS, SHAPES

HOUSE = Path(__file__).parent.parent
MAY_IMPORT = {
    "fusion": set(),
    "runtime": set(),
    "calibration": {"runtime"},
    "tabletop": {"fusion", "runtime"},
    "export": {"fusion", "runtime", "calibration"},
    "bench": {"fusion", "runtime", "export"},
}

MOST_FLOORS = {"runtime": 7, "bench": 5}
MOST_LOOSE = {"runtime": 13, "bench": 3}

GENERAL = ("fusion", "runtime", "calibration", "export", "bench")
SEEN = {*COLORS, *SHAPES, "tabletop"}
"""Words of the built-in task."""
CHANNELS, MARKUP, BELL = {"red", "green", "blue"}, {"red", "green", "yellow"}, {"ring"}
MEANT_OTHERWISE = {
    "fusion/encoder_choice.py": CHANNELS,
    "export/report/tables.py": MARKUP,
    "export/tensorrt/table.py": MARKUP,
    "bench/report/tables.py": MARKUP,
    "bench/runs/tune.py": MARKUP,
    "runtime/sinks/console.py": MARKUP,
    "calibration/board_viewer.py": MARKUP,
    "calibration/camera_picture.py": MARKUP,
    "runtime/sinks/timeline.py": set(COLORS),  # a label that names a colour is drawn in it, whatever the task
    "runtime/live.py": BELL,
    "runtime/streams/bell.py": BELL,
    "runtime/streams/pacer.py": BELL,
    "runtime/perceiver.py": BELL,
    "runtime/senses/window.py": BELL,  # a ring buffer
    "runtime/__init__.py": {"tabletop"},  # the name of the default clip's file
}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room):
    allowed = MAY_IMPORT[room] | {room}
    for path in (HOUSE / room).rglob("*.py"):
        ours = {module for module in imports(path) if module.split(".")[0] == "edgefuse"}
        strangers = {module for module in ours - {"edgefuse"} if module.split(".")[1] not in allowed}
        assert not strangers, f"{path.relative_to(HOUSE)} imports {strangers}"


@pytest.mark.parametrize("room", MOST_FLOORS)
def test_a_room_has_few_floors_and_no_arrow_runs_up(room):
    """Its own rooms, and the files that lie loose beside them, each imported only from floors above it."""
    floors = floors_of(room)
    assert len(floors) <= MOST_FLOORS[room], floors


@pytest.mark.parametrize("room", MOST_LOOSE)
def test_little_lies_loose_in_a_room(room):
    loose = [part for part in parts_of(room) if (HOUSE / room / f"{part}.py").exists()]
    assert len(loose) <= MOST_LOOSE[room], "what a reader needs to follow one frame or measurement; the rest has a room"


def floors_of(room: str) -> list[set[str]]:
    """The parts of a room from the ground floor up; a part stands on all that it imports."""
    imported: dict[str, set[str]] = {part: set() for part in parts_of(room)}
    for path in (HOUSE / room).rglob("*.py"):
        part = path.relative_to(HOUSE / room).parts[0].removesuffix(".py")
        if part in imported:  # the room's own face, __init__.py, lies over all
            modules = {module.split(".")[2] for module in imports(path) if module.startswith(f"edgefuse.{room}.")}
            imported[part] |= modules & set(imported) - {part}
    floors: list[set[str]] = []
    while left := set(imported).difference(*floors):
        floors.append({part for part in left if not imported[part] & left})
        assert floors[-1], f"{sorted(left)} import each other in a circle"
    return floors


def parts_of(room: str) -> set[str]:
    """Rooms within it and loose files."""
    rooms = {path.parent.name for path in (HOUSE / room).glob("*/__init__.py")}
    return rooms | {path.stem for path in (HOUSE / room).glob("*.py")} - {"__init__"}


def test_the_runtime_never_imports_torch():
    for path in (HOUSE / "runtime").rglob("*.py"):
        assert not {module for module in imports(path) if module.split(".")[0] == "torch"}, path


def test_nobody_knows_the_command_line():
    for room in MAY_IMPORT:
        for path in (HOUSE / room).rglob("*.py"):
            assert "edgefuse.cli" not in imports(path), path


@pytest.mark.parametrize("room", GENERAL)
def test_no_general_room_knows_the_built_in_task(room):
    for path in (path for pattern in ("*.py", "*.j2") for path in (HOUSE / room).rglob(pattern)):
        words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", path.read_text().lower())}
        place = str(path.relative_to(HOUSE))
        assert not (words & SEEN) - MEANT_OTHERWISE.get(place, set()), place


def test_what_is_meant_otherwise_is_still_there():
    for place, words in MEANT_OTHERWISE.items():
        assert words & set(re.findall(r"[a-z]+", (HOUSE / place).read_text().lower())), place


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
