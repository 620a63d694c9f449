"""Which number of threads is planned for a graph."""

from __future__ import annotations

from typer.testing import CliRunner

from edgefuse.bench import tune
from edgefuse.bench.tune import Trial, choose, plan_from
from edgefuse.cli import app
from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.engines.plan import Threads, planned_threads


def trial(threads: int, latency_ms: float, cpu_ms: float, spinning: bool = False) -> Trial:
    return Trial("bundle", "image", "0" * 64, Threads(intra_op=threads, spinning=spinning), latency_ms, cpu_ms)


def chosen(*trials: Trial) -> Threads:
    return plan_from(choose(trials))["0" * 64]


def test_more_threads_have_to_be_worth_it():
    assert chosen(trial(1, 10.0, 10.0), trial(2, 6.0, 11.0)) == Threads(intra_op=2)
    assert chosen(trial(1, 10.0, 10.0), trial(2, 9.5, 10.0)) == Threads()


def test_more_threads_may_not_take_the_robots_cores():
    spinning = trial(2, 5.0, 19.0, spinning=True)
    assert chosen(trial(1, 10.0, 10.0), trial(2, 6.0, 11.0), spinning) == Threads(intra_op=2)


def test_the_plan_is_written_for_every_graph_and_used(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "_ROUNDS", 4)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["bench", "--tune"])
    assert result.exit_code == 0, result.output
    assert "plan.json" in result.output.replace("\n", "")
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    text = (tmp_path / "edgefuse" / "plan.json").read_text()
    for spec in manifest.graphs.values():
        assert manifest.files[spec.file] in text
        assert planned_threads(manifest.files[spec.file]).intra_op >= 1
