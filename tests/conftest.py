"""What all tests have in common: they leave the user's own caches alone, know whether there is a GPU, and share what
takes long to make."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefuse.runtime import EngineError
from edgefuse.runtime.engines.gpu import Gpu, find_gpu

sys.path.insert(0, str(Path(__file__).parent))

from made_once import MadeOnce

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts with &


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(of_all_workers: Path) -> Iterator[None]:
    """One cache and no plan for the whole run, also for the programs that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(of_all_workers / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(of_all_workers / "config"))
        yield


@pytest.fixture(scope="session")
def made_once(of_all_workers: Path) -> MadeOnce:
    """For what takes long to make: see MadeOnce."""
    return MadeOnce(of_all_workers)


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
