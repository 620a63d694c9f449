"""What ONNX Runtime's TensorRT provider builds is kept, and believed, only as this user sealed it."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.engines import engine_onnxruntime_gpu
from edgefuse.runtime.engines.engine_onnxruntime_gpu import open_on_tensorrt
from edgefuse.runtime.engines.gpu import Gpu

BUNDLE = Bundle.open(DEFAULT_BUNDLE)
GRAPH = BUNDLE.manifest.graphs["text"].file


@pytest.fixture
def builds(monkeypatch, tmp_path) -> list[list[str]]:
    """What lies in the provider's place whenever a session is opened; a session that builds an engine there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine_onnxruntime_gpu, "check_provider", lambda provider: Gpu("a stand-in", "8.9", "13.0"))
    found = []

    def open_session(path, providers):
        place = Path(providers[0][1]["trt_engine_cache_path"])
        found.append(sorted(file.name for file in place.iterdir() if file.name != "seal.json"))
        (place / "text.engine").write_bytes(b"built on this machine")
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(engine_onnxruntime_gpu, "active_session", open_session)
    return found


def run_once() -> Path:
    engine = open_on_tensorrt(DEFAULT_BUNDLE / GRAPH, BUNDLE.manifest.files[GRAPH].sha256, "fp32")
    engine.run({"ids": np.ones((1, 32), np.int64)})
    (file,) = Path(engine_onnxruntime_gpu.cache_folder()).glob("tensorrt/*/text.engine")
    return file


def test_what_was_built_is_there_the_next_time(builds):
    run_once()
    run_once()
    assert builds == [[], ["text.engine"]]


@pytest.mark.parametrize("name", ["text.engine", "planted.engine"])
def test_what_was_changed_or_planted_there_is_not(builds, name):
    run_once().with_name(name).write_bytes(b"built elsewhere")
    run_once()
    assert builds == [[], []]


def test_what_a_killed_process_left_unsealed_is_not(builds):
    place = run_once().parent
    (place / "text.engine").write_bytes(b"half")
    (place / "seal.json").unlink()
    run_once()
    assert builds == [[], []]
