"""What is exported can be named in four ways, and every way of getting it wrong gets one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgefuse.export.errors import ExportError
from edgefuse.networks import spec_from_name

NETWORKS = Path(__file__).parent / "export" / "networks.py"

WRONG = {
    "nothing.py:network": "nothing.py: no such file",
    "nowhere:network": "nowhere: no such module",
    "nowhere.inside:network": "nowhere.inside: no such module",
    "model.py": "name the function that returns a FusionSpec as well",
    "nowhere.safetensors": "nowhere.safetensors: no such file; expected a checkpoint.safetensors, module.py:function",
    "model.py:missing": "model.py: no function 'missing' in it",
    "model.py:number": "model.py: no function 'number' in it",
    "model.py:raises": r"model.py:raises failed: ValueError: weights are gone \(.*model.py:6\)",
    "model.py:returns": "model.py:returns returned a dict, expected an edgefuse.export.FusionSpec",
    "model.py:arguments": "model.py:arguments failed: TypeError: .* missing 1 required positional argument",
    "broken.py:network": r"broken.py cannot be loaded: SyntaxError: .* \(broken.py, line 1\)",
    "lacking.py:network": r"lacking.py cannot be loaded: ModuleNotFoundError: No module named 'nonesuch' \(.*py:1\)",
}

MODEL = """
import beside

number = beside.NUMBER
def raises():
    raise ValueError("weights are gone\\nfor good")
def returns():
    return {}
def arguments(path):
    return path
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "beside.py").write_text("NUMBER = 3\n")
    (tmp_path / "broken.py").write_text("def network(:\n")
    (tmp_path / "lacking.py").write_text("import nonesuch\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    return tmp_path


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_source_gets_one_line_that_says_where(source: str, directory: Path) -> None:
    before = list(sys.path)
    with pytest.raises(ExportError, match=WRONG[source]) as caught:
        spec_from_name(source)
    assert "\n" not in str(caught.value)
    assert sys.path == before


def test_a_function_of_a_file_and_of_a_package_gives_its_spec(directory: Path) -> None:
    assert spec_from_name(f"{NETWORKS}:split_spec").name == "touch"
    (directory / "robots").mkdir()
    (directory / "robots" / "touch.py").write_text(NETWORKS.read_text())
    assert spec_from_name("robots.touch:whole_spec").name == "touch"
