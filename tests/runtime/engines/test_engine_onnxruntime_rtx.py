"""The provider for TensorRT-RTX, in what can be told without a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, EngineError
from edgefuse.runtime.doctor import examine
from edgefuse.runtime.engines import engine_onnxruntime_rtx
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine_onnxruntime import OnnxRuntimeEngine
from edgefuse.runtime.engines.engine_onnxruntime_rtx import PACKAGE, is_tensorrt_here, session_on
from edgefuse.runtime.engines.gpu import Gpu

MODULE = PACKAGE.replace("-", "_")
TEXT = DEFAULT_BUNDLE / "text.onnx"

pytestmark = pytest.mark.skipif(
    not hasattr(onnxruntime, "get_ep_devices"), reason=f"onnxruntime {onnxruntime.__version__} takes no such providers"
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The provider's package with a library that does not load."""
    library = tmp_path / "libprovider.so"
    library.write_bytes(b"no library")
    (tmp_path / f"{MODULE}.py").write_text(
        f"get_ep_name = lambda: 'NvTensorRTRTXExecutionProvider'\nget_library_path = lambda: {str(library)!r}\n"
    )
    record = tmp_path / f"{MODULE}-0.5.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.5.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop(MODULE, None)


def test_a_session_on_devices_runs_the_graph_on_their_provider():
    (cpu,) = [device for device in onnxruntime.get_ep_devices() if device.ep_name == "CPUExecutionProvider"]
    engine = OnnxRuntimeEngine(TEXT, session_on(TEXT, [cpu]), "onnxruntime-cpu")
    ids = {"ids": np.ones((1, 32), np.int64)}
    expected = open_engine(Bundle.open(DEFAULT_BUNDLE), "text", "cpu").run(ids)
    for name, value in engine.run(ids).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4)


@pytest.mark.usefixtures("package", "no_gpu")
def test_with_the_package_tensorrt_means_this_provider_and_auto_does_without():
    assert is_tensorrt_here()
    with pytest.raises(
        EngineError, match="backend tensorrt cannot run the graph text: this machine has no NVIDIA driv"
    ):
        open_engine(Bundle.open(DEFAULT_BUNDLE), "text", "tensorrt")
    assert open_engine(Bundle.open(DEFAULT_BUNDLE), "text").backend == "onnxruntime-cpu"


@pytest.mark.usefixtures("package")
def test_a_provider_that_does_not_load_says_why_in_one_line(monkeypatch):
    monkeypatch.setattr(engine_onnxruntime_rtx, "find_gpu", lambda: Gpu("a GPU that is not there", "8.9", "13.0"))
    with pytest.raises(
        EngineError, match=f"{PACKAGE} does not load into onnxruntime {onnxruntime.__version__}: "
    ) as error:
        open_engine(Bundle.open(DEFAULT_BUNDLE), "text", "tensorrt")
    assert "libprovider.so" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("package")
def test_the_doctor_shows_it_beside_onnxruntime():
    (finding,) = [finding for finding in examine() if finding.subject == "engine"]
    assert finding.state == "ok"
    assert finding.detail.endswith(f"; beside it {PACKAGE} 0.5.0")
