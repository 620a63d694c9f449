"""A machine's plan says by which engine and on how many threads its graphs run."""

import json
import os

import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, EngineError
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.plan import OnnxRuntimeWay, OpenVinoWay, plan_file, planned_way, this_machine, write_plan


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def threads_of_a_running_fusion() -> int:
    before = len(os.listdir("/proc/self/task"))
    engine = open_engine(Bundle.open(DEFAULT_BUNDLE), "fusion", "cpu")
    assert engine.outputs
    return 1 + len(os.listdir("/proc/self/task")) - before


def test_a_graph_runs_on_the_threads_that_are_planned_for_it():
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    assert threads_of_a_running_fusion() == 1
    write_plan({manifest.files[manifest.fusion.file].sha256: OnnxRuntimeWay(threads=3)})
    assert threads_of_a_running_fusion() == 3


def test_what_is_planned_for_other_graphs_and_machines_stays(monkeypatch):
    first, second = "1" * 64, "2" * 64
    write_plan({first: OnnxRuntimeWay(threads=2, spinning=True)})
    write_plan({second: OpenVinoWay(threads=4, arithmetic="bf16")})
    assert planned_way(first) == OnnxRuntimeWay(threads=2, spinning=True)
    assert planned_way(second) == OpenVinoWay(threads=4, arithmetic="bf16")
    with monkeypatch.context() as patch:
        patch.setattr("edgefuse.runtime.engines.plan.this_machine", lambda: "another")
        assert planned_way(first) is None
        write_plan({first: OnnxRuntimeWay(threads=8)})
    assert planned_way(first) == OnnxRuntimeWay(threads=2, spinning=True)


def test_a_plan_from_before_there_was_a_choice_of_engines_still_counts():
    path = plan_file()
    path.parent.mkdir(parents=True)
    graph = {"1" * 64: {"intra_op": 2, "spinning": False}}
    path.write_text(json.dumps({"schema_version": 1, "machines": {this_machine(): graph}}))
    assert planned_way("1" * 64) == OnnxRuntimeWay(threads=2)


def planned(way: dict[str, object]) -> str:
    return json.dumps({"machines": {"any": {"1" * 64: way}}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON that can be used"),
        ('{"machines": {"a": {"b": {}}}}', "pattern"),
        ('{"x": 1}', "x"),
        (planned({"engine": "tvm"}), "tvm.* 'onnxruntime', 'openvino'"),
        (planned({"threads": 0}), "threads: Input should be greater than or equal to 1"),
        (planned({"engine": "openvino", "arithmetic": "f8"}), "arithmetic: Input should be 'f32' or 'bf16'"),
    ],
)
def test_a_damaged_plan_is_told_in_one_line(text, said):
    path = plan_file()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(EngineError, match=said) as told:
        open_engine(Bundle.open(DEFAULT_BUNDLE), "image")
    assert "\n" not in str(told.value)
    assert "bench --tune" in str(told.value)
