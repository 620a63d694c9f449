"""`edgefuse bench` as a user types it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from command_line import refused
from made_results import engine
from rich.console import Console
from typer.testing import CliRunner

from edgefuse.bench import measurement
from edgefuse.bench.errors import BenchError
from edgefuse.bench.extent import QUICK, THOROUGH, Wish
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.result import Result, read_result
from edgefuse.cli import app
from edgefuse.runtime import DEFAULT_BUNDLE
from edgefuse.terminal import still_bar


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
        (["--compare", "nowhere.json"], "cannot read nowhere.json"),
        (["--compare", __file__], "expected a result of `edgefuse bench --json`"),
        (["--source", "live", "--vs", "torch", "--checkpoint", "x"], "without --vs, --ros and --tune"),
        (["--source", "live", "--tune"], "without --vs, --ros and --tune"),
        (["--microphone", "default"], "--camera and --microphone are of --source live"),
    ],
)
def test_bad_input_is_one_line(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused("bench", "--quick", *arguments)
    assert line.startswith("edgefuse: ")
    assert said in line


def test_results_that_have_nothing_in_common_are_not_compared(measured: Result, tmp_path):
    other = measured.model_copy(update={"engines": (engine("another"),), "pipelines": (), "bundles": ()})
    (tmp_path / "old.json").write_text(other.model_dump_json())
    result = CliRunner().invoke(app, ["bench", "--quick", "--compare", str(tmp_path / "old.json")])
    assert isinstance(result.exception, BenchError)
    assert "nothing to compare" in str(result.exception)


def test_what_was_measured_is_written_although_it_cannot_be_compared(measured: Result, tmp_path):
    other = measured.model_copy(update={"engines": (engine("another"),), "pipelines": ()})
    (tmp_path / "old.json").write_text(other.model_dump_json())
    files = ["--json", str(tmp_path / "new.json"), "--compare", str(tmp_path / "old.json")]
    CliRunner().invoke(app, ["bench", "--quick", *files])
    assert read_result(tmp_path / "new.json") == measured


def test_another_machine_is_said_besides(measured: Result, tmp_path):
    host = measured.host.model_copy(update={"cpu": "a [/] CPU"})
    (tmp_path / "old.json").write_text(measured.model_copy(update={"host": host}).model_dump_json())
    result = CliRunner().invoke(app, ["bench", "--quick", "--compare", str(tmp_path / "old.json")])
    assert result.exit_code == 0, result.output
    assert "careful: another machine: a [/] CPU" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "extent", "rate_hz"), [([], THOROUGH, 30.0), (["--quick", "--rate", "12.5"], QUICK, 12.5)]
)
def test_how_thoroughly_and_at_which_rate(twice: Result, monkeypatch, arguments, extent, rate_hz):
    wishes = []

    def note(variants: Sequence[Variant], wish: Wish, progress: object) -> Result:
        wishes.append(wish)
        return twice

    monkeypatch.setattr(measurement, "measure", note)
    assert CliRunner().invoke(app, ["bench", *arguments]).exit_code == 0
    (wish,) = wishes
    assert (wish.extent, wish.peers, wish.ros) == (extent, (), False)
    assert wish.rate_hz == pytest.approx(rate_hz, rel=0.02)


def test_every_bundle_on_every_backend_is_a_variant(twice: Result, monkeypatch):
    names = []

    def note(variants: Sequence[Variant], wish: Wish, progress: object) -> Result:
        names.extend(variant.name for variant in variants)
        return twice

    monkeypatch.setattr(measurement, "measure", note)
    bundle = str(DEFAULT_BUNDLE)
    arguments = ["bench", "--quick", bundle, bundle, "--backend", "cpu", "--backend", "auto"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert names == ["bundle on cpu", "bundle on auto", "bundle on cpu #2", "bundle on auto #2"]


def test_a_bar_shows_a_stage_as_it_is_called():
    """Also that of a bundle in a folder called so."""
    shown = io.StringIO()
    with still_bar(Console(force_terminal=True, width=100, file=shown)) as progress:
        progress("x[/]y: start", 1, 2)
    assert "x[/]y: start" in shown.getvalue()


def test_quick_is_less_of_everything():
    quick, thorough = asdict(QUICK), asdict(THOROUGH)
    assert quick.pop("engines")["calls"] < thorough.pop("engines")["calls"]
    assert all(quick[name] < thorough[name] for name in quick)
