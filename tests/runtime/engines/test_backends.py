"""A backend asked for by name runs, or one line says why it cannot; `auto` always runs."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError, EngineError, Perceiver
from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.bundle.manifest import EngineSpec, Manifest, TensorSpec
from edgefuse.runtime.engines import backends, engine_file
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine_onnxruntime_gpu import CUDA, TENSORRT, active_session, check_built_in, is_built_in
from edgefuse.runtime.engines.gpu import Gpu

PIXELS = TensorSpec(name="pixels", dtype="uint8", shape=("batch", 32))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the default bundle, for `add_engine`."""
    return Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))


def add_engine(bundle: Path, **changes: object) -> None:
    """Write an engine into the manifest; by default one that TensorRT-RTX of this machine could run."""
    package = pytest.importorskip("tensorrt_rtx")
    (bundle / "text.engine").write_bytes(b"an engine")
    manifest = Bundle.open(bundle).manifest
    graph = manifest.graphs["text"]
    fits: dict[str, object] = {
        "file": "text.engine",
        "target": "tensorrt-rtx",
        "version": package.__version__,
        "compute_capability": None,
        "graph_sha256": manifest.files[graph.file].sha256,
        "profile": {"ids": ((1, 32), (1, 32), (64, 32))},
        "inputs": graph.inputs,
        "outputs": graph.outputs,
    }
    content = manifest.model_dump()
    text = next(modality for modality in content["modalities"] if modality["name"] == "text")
    text["graph"]["engines"] = [EngineSpec.model_validate(fits | changes).model_dump()]
    content["files"]["text.engine"] = described(bundle / "text.engine")
    Manifest.model_validate(content).write(bundle)


def refusal(bundle: Path, backend: str, graph: str = "text") -> str:
    with pytest.raises(EngineError) as error:
        open_engine(Bundle.open(bundle), graph, backend)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.usefixtures("no_gpu")
def test_auto_runs_on_the_cpu_where_there_is_no_gpu():
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    assert set(perceiver.backends.values()) == {"onnxruntime-cpu"}


def test_the_cpu_by_name():
    engine = open_engine(Bundle.open(DEFAULT_BUNDLE), "text", "cpu")
    assert engine.backend == "onnxruntime-cpu"
    (embedding, *_) = engine.run({"ids": np.ones((1, 32), np.int64)}).values()
    assert np.isfinite(embedding).all()


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("backend", ["cuda", "tensorrt"])
def test_a_backend_that_cannot_work_says_why_and_does_not_fall_back(backend):
    said = refusal(DEFAULT_BUNDLE, backend)
    assert said.startswith(f"backend {backend} cannot run the graph text: ")
    assert "NVIDIA driver" in said


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_an_onnxruntime_that_lacks_the_provider_says_what_to_install(provider):
    if is_built_in(provider):
        pytest.skip(f"the installed onnxruntime has {provider}")
    with pytest.raises(EngineError, match=f"has no {provider}, only .*CPUExecutionProvider.*onnxruntime-gpu"):
        check_built_in(provider)


@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.skipif(is_built_in(CUDA), reason="needs an onnxruntime that lacks the provider")
def test_a_session_without_the_provider_that_was_asked_for_is_an_error():
    with pytest.raises(EngineError, match=rf"text\.onnx: ONNX Runtime's {CUDA} is not active: "):
        active_session(DEFAULT_BUNDLE / "text.onnx", [CUDA])


@pytest.mark.skipif(
    not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"),
    reason=f"onnxruntime {onnxruntime.__version__} does not tell",
)
def test_a_provider_that_is_active_but_takes_nothing_of_the_graph_is_an_error():
    provider = "AzureExecutionProvider"  # of the package for CPUs, and it has operators of its own only
    if not is_built_in(provider):
        pytest.skip(f"the installed onnxruntime has no {provider}")
    with pytest.raises(EngineError, match=f"{provider} takes no operator of this graph"):
        active_session(DEFAULT_BUNDLE / "text.onnx", [provider])


@pytest.mark.usefixtures("no_gpu")
def test_auto_goes_on_where_an_engine_that_should_fit_does_not_load(bundle, monkeypatch, caplog):
    for module in (backends, engine_file):
        monkeypatch.setattr(module, "find_gpu", lambda: Gpu("a GPU that is not there", "8.9", "12.8"))
    add_engine(bundle)
    assert open_engine(Bundle.open(bundle), "text").backend == "onnxruntime-cpu"
    said = [record.getMessage() for record in caplog.records if "on tensorrt" in record.getMessage()]
    assert len(said) == 1
    assert "text.engine: tensorrt-rtx" in said[0]
    assert "does not load it" in said[0]


@pytest.mark.usefixtures("no_gpu")
def test_engines_of_the_bundle_need_a_gpu_and_auto_does_without(bundle):
    add_engine(bundle)
    assert "text.engine: this machine has no NVIDIA driver" in refusal(bundle, "tensorrt")
    assert open_engine(Bundle.open(bundle), "text").backend == "onnxruntime-cpu"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"graph_sha256": "0" * 64}, "built from another text.onnx (000000000000, here "),
        ({"inputs": (PIXELS,)}, "text.engine: has pixels uint8 where text.onnx has ids int64"),
    ],
)
def test_an_engine_that_is_stale_or_foreign_is_refused_with_the_reason(bundle, changes, said):
    add_engine(bundle, **changes)
    line = refusal(bundle, "tensorrt")
    assert said in line
    assert "edgefuse export --target" in line


def test_an_altered_engine_is_not_even_tried(bundle):
    add_engine(bundle)
    (bundle / "text.engine").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"text\.engine was altered"):
        Bundle.open(bundle)
