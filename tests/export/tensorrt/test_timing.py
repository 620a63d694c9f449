"""The timing cache of classic TensorRT, through TensorRT-RTX, which has the same calls (and does nothing in them)."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefuse.export.tensorrt.network import parse_graph
from edgefuse.export.tensorrt.package import Package, load_package
from edgefuse.export.tensorrt.plan import plan_of
from edgefuse.runtime.files.sealed_cache import SealedCache

PROFILE = {"ids": ((1, 4), (1, 4), (2, 4))}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("before", [None, b"", b"damaged"])
def test_kept_in_the_users_cache_by_version_and_gpu(
    plain_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    classic = Package("tensorrt", load_package("tensorrt-rtx").module)
    cache, key = SealedCache(tmp_path / "edgefuse" / "timing"), f"tensorrt-{classic.version}-8.7"
    if before is not None:
        cache.save(key, lambda entry: void((entry / "timing.bin").write_bytes(before)))
    assert plan_of(
        classic, parse_graph(classic, "text", plain_bundle / "text.onnx"), PROFILE, "8.7", lambda share: None
    )
    kept = cache.load(key, lambda entry: (entry / "timing.bin").read_bytes())
    assert kept is not None
    assert len(kept) > len(b"damaged")


def void(_: object) -> None:
    """Nothing, of what is not asked for."""


def test_nothing_is_kept_where_nothing_is_measured(
    plain_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    package = load_package("tensorrt-rtx")
    plan_of(package, parse_graph(package, "text", plain_bundle / "text.onnx"), PROFILE, None, lambda share: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_cache_that_cannot_be_written_costs_no_engine(
    plain_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    classic = Package("tensorrt", load_package("tensorrt-rtx").module)
    assert plan_of(
        classic, parse_graph(classic, "text", plain_bundle / "text.onnx"), PROFILE, "8.7", lambda share: None
    )
    assert "what TensorRT measured is not kept" in caplog.text
