"""The doctor says which backends really work here, and why not the others."""

import sys
from importlib import metadata

import cv2
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, StreamError
from edgefuse.runtime.doctor import Finding, examine
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.streams.sound_file import SoundFile


def findings() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine()}


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("subject", ["cuda", "tensorrt, by onnxruntime", "engines of tensorrt-rtx"])
def test_a_backend_that_cannot_work_is_missing_with_the_reason(subject):
    finding = findings()[subject]
    assert finding.state == "missing"
    assert "NVIDIA driver" in finding.detail


def test_the_graph_cache_is_shown_with_its_place_and_size(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert findings()["graph cache"].detail == f"{tmp_path}/edgefuse/graphs: 0 graphs, 0.0 MB"
    open_engine(Bundle.open(DEFAULT_BUNDLE), "image", "cpu")
    assert f"{tmp_path}/edgefuse/graphs: 1 graphs, " in findings()["graph cache"].detail


def test_any_build_of_opencv_will_do_also_one_that_pip_does_not_know(monkeypatch):
    def unknown(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", unknown)
    assert findings()["opencv"] == Finding("opencv", "ok", f"{cv2.__version__} in {cv2.__file__}")


def test_sound_files_need_their_library_and_run_says_the_same(tmp_path, monkeypatch):
    assert findings()["sound files"].detail.startswith("libsndfile 1.")
    (tmp_path / "a.wav").touch()
    monkeypatch.setitem(sys.modules, "soundfile", None)
    finding = findings()["sound files"]
    assert finding.state == "wrong"
    with pytest.raises(StreamError) as refused:
        SoundFile(tmp_path / "a.wav")
    assert str(refused.value).partition(":")[0] in finding.detail
