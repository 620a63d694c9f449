"""What is built and installed: the same from a clone, from a forge's archive, which has no links, and from an sdist."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = {"bench", "calibration", "export", "fusion", "runtime", "tabletop"}
IGNORED = (HOUSE / ".gitignore").read_text().split()
ANYWHERE = shutil.ignore_patterns(".git", *(name.strip("/") for name in IGNORED if not name.startswith("/")))
ON_TOP = {name.strip("/") for name in IGNORED if name.startswith("/")}


def not_tracked(folder: str, names: list[str]) -> set[str]:
    """Those of `names` that the repository does not hold."""
    return ANYWHERE(folder, names) | (ON_TOP & set(names) if Path(folder) == HOUSE else set())


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    """A program that succeeds; else what it said."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240, **options)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result


def build(kind: str, tree: Path, place: Path) -> Path:
    """Build a wheel or an sdist with what is installed here."""
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", place, tree)
    (built,) = place.iterdir()
    return built


def checksums(wheel: Path) -> dict[str, int]:
    """Of its files, but for RECORD, which depends on nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        files = [info for info in archive.infolist() if not info.filename.endswith("/RECORD")]
        assert len(files) == len({info.filename for info in files}), "a file is there twice"
        return {info.filename: info.CRC for info in files}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as a forge packs it, or as Windows checks it out: without links."""
    tree = tmp_path_factory.mktemp("archive") / "edgefuse-main"
    shutil.copytree(HOUSE, tree, symlinks=True, ignore=not_tracked)
    for link in [path for path in tree.rglob("*") if path.is_symlink()]:
        link.unlink()
    return tree


@pytest.fixture(scope="module")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the archive."""
    return build("wheel", archive, tmp_path_factory.mktemp("wheel"))


def unpacked(sdist: Path, place: Path) -> Path:
    with tarfile.open(sdist) as source:
        source.extractall(place, filter="data")
    (tree,) = place.iterdir()
    return tree


def environment(place: Path) -> Path:
    """The Python of a new environment that has all that this one has, but for edgefuse."""
    run(sys.executable, "-m", "venv", "--without-pip", place)
    python = place / "bin" / "python"
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    (own / "others.pth").write_text(sysconfig.get_path("purelib"))  # a folder named there is searched, its .pth not
    return python


def perceives(python: Path, place: Path) -> bool:
    """Whether the command line of that environment runs the default bundle, from a directory that is not the source."""
    run(python.with_name("edgefuse"), "run", "--fast", "--jsonl", "percepts.jsonl", cwd=place)
    return len((place / "percepts.jsonl").read_text().splitlines()) > 100


def install(python: Path, *what: object) -> None:
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *what)


def test_the_wheel_holds_the_rooms_and_the_default_and_nothing_else(wheel):
    names = {name for name in checksums(wheel) if ".dist-info/" not in name}
    modules = {f"edgefuse/{path.relative_to(HOUSE)}" for room in ROOMS for path in (HOUSE / room).rglob("*.py")}
    modules |= {f"edgefuse/{path.name}" for path in (HOUSE / "edgefuse").glob("*.py")}
    default = {f"edgefuse/{path.relative_to(HOUSE)}" for path in (HOUSE / "runtime" / "default").rglob("*.*")}
    pages = {"edgefuse/bench/report/pages/bench.html.j2", "edgefuse/export/report/pages/export.html.j2"}
    messages = {
        f"edgefuse/runtime/messages/msg/{name}.msg" for name in ("AudioChunk", "Percept", "Sense", "Signal", "Trace")
    }
    typed = {name for name in names if name.endswith("/py.typed")}
    assert names == modules | default | pages | messages | typed


def test_a_clone_builds_the_same_wheel_as_an_archive_without_links(wheel, tmp_path):
    assert checksums(build("wheel", HOUSE, tmp_path)) == checksums(wheel)


def test_the_sdist_holds_the_source_and_builds_the_same_wheel(wheel, archive, tmp_path):
    tree = unpacked(build("sdist", HOUSE, tmp_path / "built"), tmp_path / "unpacked")
    files, source = ({path.relative_to(top) for path in top.rglob("*") if path.is_file()} for top in (tree, archive))
    assert files == source | {Path("PKG-INFO")}
    assert checksums(build("wheel", tree, tmp_path / "rebuilt")) == checksums(wheel)


def test_a_checkout_on_windows_where_links_are_files_builds_the_same(wheel, archive, tmp_path):
    checkout = Path(shutil.copytree(archive, tmp_path / "checkout"))
    for room in ROOMS:
        (checkout / "edgefuse" / room).write_text(f"../{room}")
    assert checksums(build("wheel", checkout, tmp_path / "direct")) == checksums(wheel)
    tree = unpacked(build("sdist", checkout, tmp_path / "built"), tmp_path / "unpacked")
    assert checksums(build("wheel", tree, tmp_path / "rebuilt")) == checksums(wheel)


@pytest.mark.slow
def test_what_was_built_perceives(wheel, tmp_path):
    python = environment(tmp_path / "environment")
    install(python, wheel)
    assert perceives(python, tmp_path)


@pytest.mark.slow
def test_an_editable_install_of_an_archive_without_links_perceives_and_shows_changes(archive, tmp_path):
    tree = Path(shutil.copytree(archive, tmp_path / "edgefuse-main"))
    python = environment(tmp_path / "environment")
    install(python, "--editable", tree)
    assert perceives(python, tmp_path)
    (tree / "runtime" / "new.py").write_text("here = True\n")
    run(python, "-c", "import edgefuse.runtime.new", cwd=tmp_path)


@pytest.mark.parametrize("room", ["runtime", "ros_nodes/edgefuse_msgs/msg"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_tree_that_lacks_a_room_is_not_built(archive, tmp_path, room, kind):
    tree = Path(shutil.copytree(archive, tmp_path / "tree", ignore=shutil.ignore_patterns("default", "tests")))
    shutil.rmtree(tree / room)
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", tmp_path / "out", tree]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240)
    assert result.returncode != 0
    assert f"it has no {room}" in result.stdout + result.stderr
    assert not list((tmp_path / "out").glob("*"))
