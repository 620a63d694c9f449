"""What all tests have in common: they leave the user's own caches alone, and know whether there is a GPU."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefuse.runtime import EngineError
from edgefuse.runtime.engines.gpu import Gpu, find_gpu

sys.path.insert(0, str(Path(__file__).parent))
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts with &


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache and no plan for the whole run, also for the programs that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


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
