"""`edgefuse bench` as a user types it."""

from __future__ import annotations

import pytest
from command_line import refused
from typer.testing import CliRunner

from edgefuse.bench import measurement
from edgefuse.bench.report.result import Result
from edgefuse.cli import app


@pytest.fixture
def measured(twice: Result, monkeypatch: pytest.MonkeyPatch) -> Result:
    """What the command is told that it measured: a real result, taken once."""
    monkeypatch.setattr(measurement, "measure", lambda variants, wish, progress: twice)
    return twice


def slower_graphs(result: Result, factor: float) -> Result:
    """The same with graphs that take so many times longer."""
    engines = [
        engine.model_copy(
            update={
                "latency_ms": engine.latency_ms.model_copy(
                    update={"rounds": tuple(factor * value for value in engine.latency_ms.rounds)}
                )
            }
        )
        for engine in result.engines
    ]
    return result.model_copy(update={"engines": tuple(engines)})


def test_it_writes_its_files_and_compares(measured: Result, tmp_path):
    (tmp_path / "old.json").write_text(measured.model_dump_json())
    files = ["--json", str(tmp_path / "new.json"), "--html", str(tmp_path / "new.html")]
    result = CliRunner().invoke(app, ["bench", "--quick", *files, "--compare", str(tmp_path / "old.json")])
    assert result.exit_code == 0, result.output
    assert "each graph alone" in result.output
    assert "slower" not in result.output
    assert Result.model_validate_json((tmp_path / "new.json").read_bytes()) == measured
    assert (tmp_path / "new.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(("factor", "code", "said"), [(0.5, 1, "slower"), (2.0, 0, "faster")])
def test_the_exit_code_says_whether_something_is_slower(measured: Result, tmp_path, factor, code, said):
    (tmp_path / "old.json").write_text(slower_graphs(measured, factor).model_dump_json())
    result = CliRunner().invoke(app, ["bench", "--quick", "--compare", str(tmp_path / "old.json")])
    assert result.exit_code == code
    assert said in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such bundle"),
        (["--source", "nowhere.mp4"], "nowhere"),
        (["--rate", "0"], "--rate 0: expected 0.1 to 10000"),
        (["--backend", "gpu"], "--backend gpu: expected auto, cpu, openvino, cuda, tensorrt"),
        (["--vs", "torch"], "give its --checkpoint"),
        (["--vs", "tvm", "--checkpoint", "x"], "--vs tvm: expected some of torch, torch-compile, ort, openvino"),
        (["--json", "/nowhere/result.json"], "/nowhere/result.json cannot be written"),
        (["--compare", "nowhere.json"], "nowhere.json cannot be read"),
        (["--compare", __file__], "is no result of `edgefuse bench --json`"),
    ],
)
def test_bad_input_is_one_line(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused("bench", "--quick", *arguments)
    assert line.startswith("edgefuse: ")
    assert said in line
