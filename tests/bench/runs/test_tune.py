"""By which engine and on how many threads a graph is planned to run."""

from __future__ import annotations

import importlib.util
import io
import sys

import pytest
from command_line import refused
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
        assert planned_way(manifest.files[spec.file].sha256) is not None
    assert ("OpenVINO f32" in result.output) == (importlib.util.find_spec("openvino") is not None)


def test_on_one_core_there_is_one_thread_and_on_more_no_more_than_there_are():
    onnxruntime = [way for way in tune._list_ways(1) if isinstance(way, OnnxRuntimeWay)]
    assert onnxruntime == [OnnxRuntimeWay()]
    four = [way for way in tune._list_ways(5) if isinstance(way, OnnxRuntimeWay)]
    assert [(way.threads, way.spinning) for way in four] == [(1, False), (2, False), (2, True), (4, False), (4, True)]


@pytest.mark.parametrize(
    ("latency_ms", "cpu_ms", "threads"),
    [
        (9.0, 13.0, 2),  # just worth it, and just cheap enough
        (9.01, 10.0, 1),  # not fast enough
        (5.0, 13.01, 1),  # takes too much of the robot's cores
    ],
)
def test_what_is_chosen_at_the_edges(latency_ms, cpu_ms, threads):
    assert chosen(trial(1, 10.0, 10.0), trial(2, latency_ms, cpu_ms)).threads == threads


def test_one_way_of_each_graph_is_chosen():
    marked = choose([trial(1, 10.0, 10.0), trial(2, 6.0, 11.0), trial(4, 5.9, 12.0)])
    assert [one.chosen for one in marked] == [False, True, False]


def test_a_way_that_is_refused_sets_no_limit_for_others():
    """It is fast and takes little, which more threads would else have to keep up with."""
    refused = trial(IN_BF16, 1.0, 1.0, "scores: 0.3 apart")
    assert chosen(trial(1, 10.0, 10.0), refused, trial(2, 6.0, 11.0)) == OnnxRuntimeWay(threads=2)


def test_the_table_says_how_each_way_is_run():
    spinning = trial(OnnxRuntimeWay(threads=2, spinning=True), 5.0, 19.0)
    shown = io.StringIO()
    Console(width=200, file=shown).print(draw_trials(choose([trial(1, 10.0, 10.0), spinning])))
    lines = [" ".join(line.replace("│", " ").split()) for line in shown.getvalue().splitlines()]
    assert "bundle image ONNX Runtime 1 10.000 10.000 chosen" in lines
    assert "bundle image ONNX Runtime 2, spinning 5.000 19.000" in lines


def test_a_plan_that_is_damaged_is_one_line_and_stays_as_it_was(tmp_path, monkeypatch):
    """Found before anything is tuned: what was planned for other machines is not to be lost."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    plan = tmp_path / "edgefuse" / "plan.json"
    plan.parent.mkdir()
    plan.write_text('{"schema_version": 1, "machines": {"0": {"zzz": {"threads": 1}}}}')
    before = plan.read_text()
    line = refused("bench", "--tune")
    assert str(plan) in line
    assert "delete it, and measure again with `edgefuse bench --tune`" in line
    assert plan.read_text() == before
