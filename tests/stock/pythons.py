"""The installation of docs/ros.md on stand-ins for Ubuntu: its Python's version, and a folder as its dist-packages."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).parent.parent.parent
CODE = """
import json, numpy, cv2, pydantic
print(json.dumps({module.__name__: [module.__version__, module.__file__] for module in (numpy, cv2, pydantic)}))
"""


@dataclass(frozen=True, slots=True)
class Ubuntu:
    """What apt has of the packages that matter."""

    name: str
    python: str
    packages: tuple[str, ...]
    keeps_numpy: bool
    """False where ONNX Runtime wants a newer one: then the environment gets another NumPy 1."""


UBUNTUS = (
    Ubuntu("22.04", "python3.10", ("numpy==1.21.5", "opencv-python-headless==4.5.4.60", "pydantic==1.8.2"), False),
    Ubuntu("24.04", "python3.12", ("numpy==1.26.4", "opencv-python-headless==4.6.0.66", "pydantic==1.10.14"), True),
)


def check(ubuntu: Ubuntu, folder: Path) -> str | None:
    """What went wrong; None: all as it should be, or this Python is not here."""
    python = shutil.which(ubuntu.python)
    if python is None or subprocess.run([python, "--version"], capture_output=True).returncode:
        print(f"Ubuntu {ubuntu.name}: no {ubuntu.python} here, not tried")
        return None
    shutil.rmtree(folder, ignore_errors=True)
    system, before = made_system(python, ubuntu, folder / "dist-packages")
    own = made_environment(python, folder / "venv", system)
    subprocess.run([own, "-m", "pip", "install", "-q", "-c", HOUSE / "ros_nodes" / "numpy1.txt", HOUSE], check=True)
    found = json.loads(subprocess.run([own, "-c", CODE], check=True, capture_output=True, text=True).stdout)
    percepts = folder / "percepts.jsonl"
    subprocess.run([own.with_name("edgefuse"), "run", "--fast", "--jsonl", percepts], check=True, capture_output=True)
    count = len(percepts.read_text().splitlines())
    versions = ", ".join(f"{name} {version}" for name, (version, _) in found.items())
    print(f"Ubuntu {ubuntu.name}, a stand-in: {count} percepts of the clip, with {versions}")
    if files(system) != before:
        return "files of the system were changed"
    if not found["numpy"][0].startswith("1."):
        return "the environment has NumPy 2"
    if ubuntu.keeps_numpy and not found["numpy"][1].startswith(str(system)):
        return "the system's NumPy is not the one that is used"
    return None if count > 500 else "too few percepts"


def made_system(python: str, ubuntu: Ubuntu, system: Path) -> tuple[Path, dict[Path, tuple[int, int]]]:
    """A folder as apt's, and what is in it; of its OpenCV pip cannot know, for apt's has no metadata."""
    install = ["-m", "pip", "install", "-q", "--target", system, "--no-deps", "typing-extensions==4.4.0"]
    subprocess.run([python, *install, *ubuntu.packages], check=True)
    for metadata in system.glob("opencv*.dist-info"):
        shutil.rmtree(metadata)
    return system, files(system)


def made_environment(python: str, place: Path, system: Path) -> Path:
    """The Python of a virtual environment that sees the system's folder after its own."""
    subprocess.run([python, "-m", "venv", place], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "system.pth").write_text(f"{system}\n")
    return place / "bin" / "python"


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of each, but for what Python compiles."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in found}
