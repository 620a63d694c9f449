"""By which engine and on how many threads a graph is planned to run."""

from __future__ import annotations

import importlib.util
import io
import sys

from rich.console import Console
from typer.testing import CliRunner

from edgefuse.bench.runs import tune
from edgefuse.bench.runs.tune import Trial, choose, draw_trials, plan_from
from edgefuse.cli import app
from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.engines import engine_openvino
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, OpenVinoWay, Way, planned_way

IN_BF16 = OpenVinoWay(arithmetic="bf16")


def trial(way: int | Way, latency_ms: float, cpu_ms: float, refused: str | None = None) -> Trial:
    """A number is one of threads, of ONNX Runtime."""
    way = OnnxRuntimeWay(threads=way) if isinstance(way, int) else way
    return Trial("bundle", "image", "0" * 64, way, latency_ms, cpu_ms, refused)


def chosen(*trials: Trial) -> Way:
    return plan_from(choose(trials))["0" * 64]


def test_more_threads_have_to_be_worth_it():
    assert chosen(trial(1, 10.0, 10.0), trial(2, 6.0, 11.0)) == OnnxRuntimeWay(threads=2)
    assert chosen(trial(1, 10.0, 10.0), trial(2, 9.5, 10.0)) == OnnxRuntimeWay()


def test_more_threads_may_not_take_the_robots_cores():
    spinning = trial(OnnxRuntimeWay(threads=2, spinning=True), 5.0, 19.0)
    assert chosen(trial(1, 10.0, 10.0), trial(2, 6.0, 11.0), spinning) == OnnxRuntimeWay(threads=2)


def test_what_takes_more_cpu_time_has_to_be_worth_it():
    spinning = trial(OnnxRuntimeWay(threads=2, spinning=True), 5.8, 12.5)
    assert chosen(trial(1, 10.0, 10.0), spinning, trial(2, 6.0, 11.0)) == OnnxRuntimeWay(threads=2)


def test_more_threads_are_tried_on_the_cores_that_the_other_senses_leave():
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    assert {way.threads for way in tune._list_ways(2 - tune._count_others(manifest))} == {1}
    assert {way.threads for way in tune._list_ways(6 - tune._count_others(manifest))} == {1, 2, 4}


def test_the_faster_engine_is_chosen_and_sets_what_more_threads_may_take():
    assert chosen(trial(1, 10.0, 10.0), trial(2, 6.0, 11.0), trial(IN_BF16, 7.0, 7.0)) == IN_BF16
    more = OpenVinoWay(threads=2, arithmetic="bf16")
    assert chosen(trial(1, 10.0, 10.0), trial(IN_BF16, 7.0, 7.0), trial(more, 4.0, 8.0)) == more


def test_what_fails_the_golden_vectors_is_not_chosen_and_the_table_says_so():
    trials = choose([trial(1, 10.0, 10.0), trial(IN_BF16, 2.0, 2.0, "tokens: it holds NaN or infinity")])
    assert plan_from(trials)["0" * 64] == OnnxRuntimeWay()
    shown = io.StringIO()
    Console(width=200, file=shown).print(draw_trials(trials))
    (line,) = [line for line in shown.getvalue().splitlines() if "OpenVINO bf16" in line]
    assert "tokens: it holds NaN or infinity" in line


def test_without_openvino_onnxruntime_alone_is_tried_and_one_line_says_so(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "openvino", None)
    engine_openvino._core.cache_clear()
    assert all(isinstance(way, OnnxRuntimeWay) for way in tune._list_ways(2))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "OpenVINO is not installed: pip install '.[openvino]'" in said


def test_the_plan_is_written_for_every_graph_and_used(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "_ROUNDS", 4)
    monkeypatch.setattr(tune, "_PAUSE_S", 0.001)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["bench", "--tune"])
    assert result.exit_code == 0, result.output
    assert "plan.json" in result.output.replace("\n", "")
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    for spec in manifest.graphs.values():
        assert planned_way(manifest.files[spec.file]) is not None
    assert ("OpenVINO f32" in result.output) == (importlib.util.find_spec("openvino") is not None)
