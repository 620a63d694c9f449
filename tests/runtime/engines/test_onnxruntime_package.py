"""Two packages write the same files, and only one of them may be there; what is wrong is one line, with its remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, EngineError
from edgefuse.runtime.doctor import examine
from edgefuse.runtime.engines import backends, engine_onnxruntime_gpu
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.gpu import Gpu
from edgefuse.runtime.engines.onnxruntime_package import installed_packages

EDGEFUSE = str(Path(sys.executable).with_name("edgefuse"))
ANEW = "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install the one that is wanted"


def install_records(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both packages, as far as pip knows."""
    for name in {"onnxruntime", "onnxruntime-gpu"} - installed_packages().keys():
        record = place / f"{name.replace('-', '_')}-1.31.1.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")
    monkeypatch.syspath_prepend(place)
    assert len(installed_packages()) == 2


def run_with(modules: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line with what is in a folder before all others."""
    path = os.pathsep.join([str(modules), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "400"}
    return subprocess.run([EDGEFUSE, *arguments], capture_output=True, text=True, timeout=120, env=environment)


def test_the_doctor_notices_both(tmp_path, monkeypatch):
    install_records(tmp_path, monkeypatch)
    (finding,) = [finding for finding in examine() if finding.subject == "engine"]
    assert finding.state == "wrong"
    assert "are both installed and overwrite each other" in finding.detail
    assert finding.detail.endswith(ANEW)


@pytest.mark.parametrize("backend", ["cuda", "tensorrt"])
def test_a_gpu_asked_for_notices_both(backend, tmp_path, monkeypatch):
    install_records(tmp_path, monkeypatch)
    monkeypatch.setattr(engine_onnxruntime_gpu, "find_gpu", lambda: Gpu("a GPU that is not there", "8.9", "13.0"))
    with pytest.raises(EngineError, match="are both installed and overwrite each other") as refusal:
        open_engine(Bundle.open(DEFAULT_BUNDLE), "text", backend)
    assert ANEW in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_auto_says_so_and_runs_on_the_cpu(tmp_path, monkeypatch, caplog):
    install_records(tmp_path, monkeypatch)
    for module in (backends, engine_onnxruntime_gpu):
        monkeypatch.setattr(module, "find_gpu", lambda: Gpu("a GPU that is not there", "8.9", "13.0"))
    assert open_engine(Bundle.open(DEFAULT_BUNDLE), "text").backend == "onnxruntime-cpu"
    assert "text.onnx does not run on cuda: " in caplog.text
    assert ANEW in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "ONNX Runtime is incomplete"),  # what uninstalling one of the two leaves
        ("import onnxruntime.capi", "ONNX Runtime is installed but does not load: No module named 'onnxruntime.capi'"),
    ],
)
def test_an_onnxruntime_that_is_damaged_is_one_line(content, said, tmp_path):
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").write_text(content)
    doctor = run_with(tmp_path, "doctor")
    assert doctor.returncode == 1, doctor.stderr
    shown = " ".join(doctor.stdout.split())
    assert f"wrong engine {said}" in shown
    assert ANEW in shown
    run = run_with(tmp_path, "run", "--fast")
    assert run.returncode == 2
    (line,) = run.stderr.strip().splitlines()
    assert said in line
    assert line.endswith(ANEW)


def test_no_onnxruntime_is_one_line(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['onnxruntime'] = None")
    run = run_with(tmp_path, "run", "--fast")
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert "ONNX Runtime" in run.stderr
