"""The base on Arm cores that QEMU emulates, against this machine: `make arm`.

An arm64 Debian is unpacked into a folder, the base's wheels for aarch64 beside it, and Debian's Python runs them under
QEMU's user mode: nothing is installed, booted or changed outside of that folder. For each kind of core, the bundle's
golden vectors have to pass and the labels of the first percepts to be those of this machine. Scores differ a little,
since another video decoder differs by a grey level.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HOUSE = HERE.parent.parent
CORES = ("cortex-a72", "cortex-a76")  # of a Raspberry Pi 4 and 5; the latter has the dot products that int8 wants
COUNT = 60
SUITE, PYTHON = "bookworm", "3.11"
TOOLS = {"qemu-aarch64-static": "qemu-user-static", "mmdebstrap": "mmdebstrap"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for all that is made, some 400 MB; what is there is used again")
    folder = parser.parse_args().folder.resolve()
    find_tools()
    folder.mkdir(parents=True, exist_ok=True)
    prepare_system(folder / "root")
    install_base(folder)
    expected = percepts([sys.executable], folder / "here")
    wrong = [core for core in CORES if not agrees(core, folder, expected)]
    sys.exit(f"make arm: {', '.join(wrong)} failed" if wrong else 0)


def find_tools() -> None:
    """Install what is missing where that is ours to do; else leave with one line that says how."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "-qq", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        advice = f"on Debian or Ubuntu: sudo {' '.join(install)}"
        print(f"make arm: not installed: {', '.join(missing)}; {advice}", file=sys.stderr)
        sys.exit(2)
    quietly = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(install, check=True, env=quietly, stdout=subprocess.DEVNULL)


def prepare_system(root: Path) -> None:
    """Debian for arm64 with its Python, unpacked and not configured: nothing of it has to run."""
    if root.exists():
        return
    beside = root.with_name("unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    hooks = "/usr/share/mmdebstrap/hooks/merged-usr"
    packages = "--include=python3,libportaudio2,libc-bin"
    options = ["--quiet", "--variant=extract", "--arch=arm64", f"--hook-dir={hooks}", packages]
    unpacked = subprocess.run(["mmdebstrap", *options, SUITE, str(beside)], capture_output=True, text=True)
    if unpacked.returncode:
        sys.exit(unpacked.stderr)
    (beside / "proc").mkdir(exist_ok=True)
    beside.rename(root)


def install_base(folder: Path) -> None:
    """edgefuse as it is now, and the wheels for aarch64 of all that it requires."""
    for made in (folder / "wheel", folder / "site"):
        shutil.rmtree(made, ignore_errors=True)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "wheel", HOUSE]
    subprocess.run([sys.executable, "-m", *build], check=True)
    (wheel,) = (folder / "wheel").glob("*.whl")
    uv = Path(sys.executable).with_name("uv")
    platform = ["--python-platform", "aarch64-manylinux_2_36", "--python-version", PYTHON, "--only-binary", ":all:"]
    places = ["--python", sys.executable, "--cache-dir", folder / "cache-uv", "--target", folder / "site"]
    constraints = ["--constraint", HOUSE / "constraints.txt"]
    subprocess.run([uv, "pip", "install", "--quiet", *platform, *places, *constraints, wheel], check=True)


def agrees(core: str, folder: Path, expected: list[dict[str, Any]]) -> bool:
    """Whether a kind of core says what this machine does; prints what it said."""
    root, begin = folder / "root", time.monotonic()
    shutil.copy(HERE / f"{core}.cpuinfo", root / "proc" / "cpuinfo")  # else the host's is read, which is no Arm's
    command = ["qemu-aarch64-static", "-cpu", core, "-L", root, "-E", f"PYTHONPATH={folder / 'site'}"]
    try:
        found = percepts([*command, root / "usr" / "bin" / f"python{PYTHON}"], folder / core)
    except subprocess.CalledProcessError as error:
        print(f"{core}: ended with {error.returncode}", file=sys.stderr)
        return False
    both = list(zip(expected, found, strict=True))
    same = sum(here["label"] == there["label"] for here, there in both)
    apart = max(abs(here["scores"][label] - there["scores"][label]) for here, there in both for label in here["scores"])
    took = f"{time.monotonic() - begin:.0f} s"
    print(f"{core}: {same} of {len(expected)} labels as here, scores up to {apart:.3f} apart, {took}", flush=True)
    return same == len(expected)


def percepts(python: list[str | Path], place: Path) -> list[dict[str, Any]]:
    """The first percepts of a Python that has edgefuse, with a cache of its own: the processor is part of its keys."""
    place.mkdir(exist_ok=True)
    own = {"XDG_CACHE_HOME": str(place), "XDG_CONFIG_HOME": str(place)}
    command = [*python, HERE / "percepts.py", place / "percepts.jsonl", str(COUNT)]
    subprocess.run(command, check=True, env=os.environ | own)
    return [json.loads(line) for line in (place / "percepts.jsonl").read_text().splitlines()]


if __name__ == "__main__":
    main()
