"""What a program of a user's own imports: the names at the top of each room, and nothing below them."""

import ast
import importlib
import inspect
import itertools
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from module_imports import imports

HOUSE = Path(__file__).parent.parent
ROOMS = ("runtime", "fusion", "tabletop", "export", "calibration", "bench")
OPTIONAL = ("torch", "onnx", "matplotlib", "rerun", "sklearn", "safetensors", "tensorboard", "openvino", "rclpy")
NEEDED = {
    "runtime": {
        *("CalibrationError", "Corrections", "read_corrections", "Confidence", "read_confidence"),
        *("Source", "open_streams", "StreamHealth", "Recording", "Camera", "Microphone", "Clip", "Stream"),
        *("Sink", "deliver", "JsonLines", "Recorder", "Viewer", "Timeline", "LiveTable", "RunStatistics", "summary"),
        *("Modality", "ImageModality", "AudioModality", "TextModality", "SignalModality", "Manifest", "Perceiver"),
    },
    "export": {"FusionSpec", "ModalitySpec", "Examples", "export_bundle", "verify_bundle", "ExportError"},
    "fusion": {"AudioFeatures", "FusionNetwork", "load_checkpoint", "train", "FusionError", "Task", "FolderTask"},
    "tabletop": {"TABLETOP", "Tabletop", "SHIPPED", "LABELS", "SynthesisError", "render_clip"},
    "calibration": {"calibrate_camera", "measure_sync", "calibrate_confidence"},
    "bench": {"measure", "open_variants", "read_result", "compare", "BenchError"},
}


def public(room: str) -> list[str]:
    return importlib.import_module(f"edgefuse.{room}").__all__


def python(code: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *more], capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_program_needs_is_at_the_top_of_its_room(room):
    assert set(public(room)) >= NEEDED[room]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_can_be_imported_and_is_listed_once(room):
    module = importlib.import_module(f"edgefuse.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    below = {path.stem for path in (HOUSE / room).iterdir() if not path.name.startswith("_")}
    assert not below & set(module.__all__), "a module of the room would hide the name once it is imported"
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=f"'edgefuse.{room}' has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_says_what_it_is(room):
    module = importlib.import_module(f"edgefuse.{room}")
    described = {
        name for one in ROOMS for path in (HOUSE / one).rglob("*.py") for name in constants_with_a_docstring(path)
    }
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
            assert not value.__doc__.startswith(f"{name}("), f"{name}: a dataclass's own signature says nothing"
        else:
            assert name in described, name


def constants_with_a_docstring(path: Path) -> set[str]:
    body = ast.parse(path.read_text()).body
    found = set()
    for statement, after in itertools.pairwise(body):
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_the_runtime_is_imported_in_no_time():
    """Nothing but the standard library is loaded until a name is asked for."""
    code = "import sys; before = set(sys.modules); import edgefuse.runtime; print(*set(sys.modules) - before)"
    result = python(code)
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert loaded - sys.stdlib_module_names == {"edgefuse"}, result.stderr


def test_every_public_name_of_the_runtime_is_there_without_what_is_optional():
    code = (
        f"import sys\nfor name in {OPTIONAL}: sys.modules[name] = None\n"
        "from edgefuse.runtime import *\n"
        "import edgefuse.runtime, pydoc\n"
        "print(pydoc.plain(pydoc.render_doc(edgefuse.runtime)))"
    )
    result = python(code)
    assert result.returncode == 0, result.stderr
    assert "class Viewer" in result.stdout, "help(edgefuse.runtime) does not show it"


def from_below(modules: set[str]) -> set[str]:
    """Those of edgefuse that are not the top of a room."""
    return {module for module in modules if module.startswith("edgefuse.") and module.count(".") > 1}


def test_what_users_are_shown_imports_from_the_tops_of_rooms_only():
    shown = [path for pattern in ("docs/**/*.py", "tests/test_cli*.py") for path in HOUSE.glob(pattern)]
    assert len(shown) > 3
    for path in shown:
        assert not from_below(imports(path)), path
    for page in (HOUSE / "README.md", *HOUSE.glob("docs/**/*.md")):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            assert not from_below(imports_in(block)), page


def imports_in(code: str) -> set[str]:
    return {node.module or "" for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)}


EXAMPLE = HOUSE / "docs" / "examples" / "own_sink.py"
SLIPS = """
from edgefuse.runtime import Percepts
from edgefuse.runtime import Perceiver, DEFAULT_BUNDLE

Perceiver.open(DEFAULT_BUNDLE, prompt="a red ball")
reveal_type(Perceiver.open(DEFAULT_BUNDLE).labels)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The Python of an environment that holds edgefuse as a wheel installs it, and beside it what this one holds."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False, symlinks=True)
    packages = next(place.glob("lib/python*/site-packages"))
    shutil.copytree(HOUSE / "edgefuse", packages / "edgefuse", ignore=shutil.ignore_patterns("__pycache__", *ROOMS))
    for room in ROOMS:
        shutil.copytree(HOUSE / room, packages / "edgefuse" / room, ignore=shutil.ignore_patterns("__pycache__"))
    (packages / "others.pth").write_text("\n".join({*others(), sysconfig.get_path("purelib")}))
    return place / "bin" / "python"


def others() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def test_a_users_program_runs_and_is_told_what_is_wrong_in_one_line(installed, tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [installed, EXAMPLE, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    result = run()
    assert result.returncode == 0, result.stderr
    assert "s  red ball  " in result.stdout
    assert len((tmp_path / "percepts.jsonl").read_text().splitlines()) > 50
    refused = run("--camera-info", "camera.yaml")
    assert (refused.returncode, "camera.yaml" in refused.stderr.splitlines()[-1]) == (2, True)


def test_the_types_of_a_users_program_are_checked_and_its_slips_found(installed, tmp_path):
    """By mypy, as strict as it can be, on edgefuse as it is installed."""
    shutil.copy(EXAMPLE, tmp_path / "program.py")
    (tmp_path / "slips.py").write_text(SLIPS)
    command = [sys.executable, "-m", "mypy", "--config-file", "", "--strict", "--python-executable", str(installed)]
    result = subprocess.run(
        [*command, "program.py", "slips.py"], cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    said = [line for line in result.stdout.splitlines() if ": error:" in line or ": note: Revealed" in line]
    assert [line.split(":")[0] for line in said] == ["slips.py"] * 3, result.stdout
    assert 'Module "edgefuse.runtime" has no attribute "Percepts"' in said[0]
    assert 'Unexpected keyword argument "prompt"' in said[1]
    assert 'Revealed type is "tuple[str, ...]"' in said[2].replace("builtins.", "")
