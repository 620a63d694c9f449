"""To run is not to build: whatever runs a bundle does with the base's packages alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageMetadata
from pathlib import Path

import pytest
from build.util import project_wheel_metadata
from packaging.requirements import Requirement

HOUSE = Path(__file__).parent.parent
EDGEFUSE = str(Path(sys.executable).with_name("edgefuse"))
OF_EXTRAS = [
    *("torch", "onnx", "onnxscript", "safetensors", "sklearn", "scipy", "tensorboard", "jinja2", "transformers"),
    *("matplotlib", "rerun", "openvino", "tensorrt", "tensorrt_rtx", "cuda", "rclpy"),
]
TELLING = re.compile(r"'\.\[([a-z,]+)\]'|how_to_install\(['\"]([a-z]+)['\"]\)")


@pytest.fixture
def robot(tmp_path: Path) -> dict[str, str]:
    """The environment variables with which nothing that an extra brings can be imported."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules |= dict.fromkeys({OF_EXTRAS})\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path}


def edgefuse(robot: dict[str, str], place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [EDGEFUSE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=robot, cwd=place)


def test_run(robot, tmp_path):
    result = edgefuse(robot, tmp_path, "run", "--fast", "--record", "run.mcap", "--jsonl", "percepts.jsonl")
    assert result.returncode == 0, result.stderr
    assert len((tmp_path / "percepts.jsonl").read_text().splitlines()) > 100


def test_doctor(robot, tmp_path):
    result = edgefuse(robot, tmp_path, "doctor")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_bench(robot, tmp_path):
    """With measurements as short as those of bench's own tests."""
    code = (
        f"import sys; sys.path[:0] = {[str(HOUSE / 'tests' / 'bench'), str(HOUSE / 'tests')]!r}\n"
        "from edgefuse.bench import extent; from conftest import SHORT; extent.QUICK = SHORT\n"
        "from edgefuse.cli import app; app(['bench', '--quick', '--json', 'bench.json'])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, env=robot, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "bench.json").read_text())["engines"]


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["run", "--fast", "--timeline", "run.png"], "timeline"),
        (["run", "--fast", "--rrd", "run.rrd"], "viz"),
        (["train", "-o", "runs"], "export"),
        (["export", "base", "-o", "base"], "export"),
    ],
)
def test_what_needs_more_says_what_to_type(robot, tmp_path, arguments, extra):
    result = edgefuse(robot, tmp_path, *arguments)
    assert result.returncode == 2, result.stdout + result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.endswith(f"which is not installed: pip install '.[{extra}]' in the folder of edgefuse's source")


@pytest.fixture(scope="module")
def described() -> PackageMetadata:
    """What pip reads of this source, whatever is installed."""
    return project_wheel_metadata(HOUSE, isolated=False)


def test_no_extra_that_runs_engines_brings_what_builds_them(described):
    for line in described.get_all("Requires-Dist"):
        if re.search(r"extra == ['\"](gpu|rtx|tensorrt|openvino|timeline|viz)['\"]", line):
            assert not re.match(r"(torch|onnx|onnxscript|transformers)\b(?!-)", line), line


def test_every_requirement_is_a_range(described):
    for line in described.get_all("Requires-Dist"):
        requirement = line.split(";")[0]
        assert ">" in requirement, line
        assert "==" not in requirement, line


def test_whoever_tells_to_install_an_extra_means_one_of_this_source(described):
    extras = set(described.get_all("Provides-Extra"))
    mine = lambda path: not {".venv", "build"} & set(path.parts)  # noqa: E731
    files = [path for kind in ("*.py", "*.md", "*.xml") for path in filter(mine, HOUSE.rglob(kind))]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install ['\"]*edgefuse\b", text), f"{path}: edgefuse is on no registry"
        told = {extra for quoted, called in TELLING.findall(text) for extra in (quoted or called).split(",")}
        assert told <= extras, f"{path}: {told - extras}"


def test_the_numpy_of_debian_12_and_ubuntu_24_04_is_enough_with_an_opencv_that_takes_it(described):
    """`make stock` installs it for real."""
    lines = (HOUSE / "ros_nodes" / "numpy1.txt").read_text().splitlines()
    kept = [Requirement(line.split("#")[0]) for line in lines if not line.startswith("#")]
    needed = [
        requirement for requirement in map(Requirement, described.get_all("Requires-Dist")) if not requirement.marker
    ]
    for package, version in (("numpy", "1.24.2"), ("numpy", "1.26.4"), ("opencv-python-headless", "4.11.0.86")):
        ranges = [requirement.specifier for requirement in [*kept, *needed] if requirement.name == package]
        assert len(ranges) == 2
        assert all(version in each for each in ranges), (package, version)
