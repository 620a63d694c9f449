"""A machine's plan says on how many threads its graphs run."""

import os

import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, EngineError
from edgefuse.runtime.engines.plan import Threads, plan_file, planned_threads, write_plan


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def threads_of_a_running_fusion() -> int:
    before = len(os.listdir("/proc/self/task"))
    engine = Bundle.open(DEFAULT_BUNDLE).engine("fusion", "cpu")
    assert engine.outputs
    return 1 + len(os.listdir("/proc/self/task")) - before


def test_a_graph_runs_on_the_threads_that_are_planned_for_it():
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    assert threads_of_a_running_fusion() == 1
    write_plan({manifest.files[manifest.fusion.file]: Threads(intra_op=3)})
    assert threads_of_a_running_fusion() == 3


def test_what_is_planned_for_other_graphs_and_machines_stays(monkeypatch):
    first, second = "1" * 64, "2" * 64
    write_plan({first: Threads(intra_op=2, spinning=True)})
    write_plan({second: Threads(intra_op=4)})
    assert planned_threads(first) == Threads(intra_op=2, spinning=True)
    assert planned_threads(second).intra_op == 4
    with monkeypatch.context() as patch:
        patch.setattr("edgefuse.runtime.engines.plan.this_machine", lambda: "another")
        assert planned_threads(first) == Threads()
        write_plan({first: Threads(intra_op=8)})
    assert planned_threads(first) == Threads(intra_op=2, spinning=True)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "content: Invalid JSON"), ('{"machines": {"a": {"b": {}}}}', "pattern"), ('{"x": 1}', "x")]
)
def test_a_damaged_plan_is_told_in_one_line(text, said):
    path = plan_file()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(EngineError, match=said) as told:
        Bundle.open(DEFAULT_BUNDLE).engine("image")
    assert "\n" not in str(told.value)
    assert "bench --tune" in str(told.value)
