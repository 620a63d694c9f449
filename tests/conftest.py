"""What all tests have in common: they leave the user's own caches alone, know whether there is a GPU, and run beside
others."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER is not None:  # before libraries are loaded that start a thread per core, which would wait for each other
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

from edgefuse.runtime import EngineError  # noqa: E402
from edgefuse.runtime.engines.gpu import Gpu, find_gpu  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts with &


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own if WORKER is None else own.parent


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(of_all_workers: Path) -> Iterator[None]:
    """One cache and no plan for the whole run, also for the programs that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(of_all_workers / "cache"))
        patch.setenv("EDGEFUSE_CACHE", str(of_all_workers / "cache" / "edgefuse"))
        patch.setenv("XDG_CONFIG_HOME", str(of_all_workers / "config"))
        yield


@pytest.fixture(scope="session")
def made_once(of_all_workers: Path) -> Callable[[str, Callable[[Path], object]], Path]:
    """made_once(name, make): what `make` makes at the path that it is given, made by one process and read by all."""

    def made(name: str, make: Callable[[Path], object]) -> Path:
        path, making = (of_all_workers / folder / name for folder in ("once", "making"))
        with FileLock(of_all_workers / f"{name}.lock"):
            if not path.exists():
                for folder in (path.parent, making.parent):
                    folder.mkdir(exist_ok=True)
                make(making)
                making.rename(path)
        return path

    return made


@pytest.fixture
def gpu() -> Gpu:
    """For a test that needs one."""
    try:
        return find_gpu()
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture
def no_gpu() -> None:
    """For a test of what is refused without one."""
    try:
        found = find_gpu()
    except EngineError:
        return
    pytest.skip(f"this machine has a GPU: {found}")
