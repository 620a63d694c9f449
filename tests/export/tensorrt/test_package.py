"""Which package builds, for which GPU."""

from __future__ import annotations

import ctypes
import sys

import pytest

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt.package import Package, load_package


def has_nvidia_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("target", "module", "extra"), [
    ("tensorrt", "tensorrt", "tensorrt"), ("tensorrt-rtx", "tensorrt_rtx", "rtx"),
])  # fmt: skip
def test_a_package_that_is_not_there_names_its_extra(
    target: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExportError, match=rf"needs {module}, which is not installed: pip install '\.\[{extra}\]' in "):
        load_package(target)  # type: ignore[arg-type]


def test_rtx_builds_for_the_capabilities_it_knows() -> None:
    package = load_package("tensorrt-rtx")
    assert package.capability(None) is None
    assert package.capability("8.9") == "8.9"


@pytest.mark.parametrize("asked", ["8.7", "9", "ampere", ""])
def test_an_unknown_capability_lists_the_known_ones(asked: str) -> None:
    with pytest.raises(ExportError, match=r"it knows .*8\.6, 8\.9, 12\.0"):
        load_package("tensorrt-rtx").capability(asked)


@pytest.mark.skipif(has_nvidia_driver(), reason="this machine may have a GPU to build for")
def test_classic_tensorrt_has_to_build_on_the_target_machine() -> None:
    """The other package's code with this package's module: the GPU is asked for before the package is."""
    classic = Package("tensorrt", load_package("tensorrt-rtx").module)
    with pytest.raises(ExportError, match=r"builds on the machine that will run the engines.*tensorrt-rtx"):
        classic.capability(None)
