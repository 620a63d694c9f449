"""Engines of a bundle by the real tensorrt_rtx builder, which needs no GPU."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgefuse.export.errors import ExportError
from edgefuse.export.tensorrt import EngineRequest, build, build_engines, check_request, network, plan
from edgefuse.export.tensorrt.package import load_package
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import EngineSpec, read_manifest
from edgefuse.runtime.engines.tensorrt_package import ErrorLog

RTX = EngineRequest("tensorrt-rtx")
Make = Callable[..., Bundle]


def engines(bundle: Bundle) -> dict[str, EngineSpec]:
    return {name: graph.engines[0] for name, graph in bundle.manifest.graphs.items()}


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_every_graph_has_an_engine_named_by_its_key(built_once: Path) -> None:
    bundle = Bundle.open(built_once)
    assert bundle.manifest.target == "tensorrt-rtx"
    for name, engine in engines(bundle).items():
        assert engine.file == f"engines/{name}-{engine.key}.engine"
        assert (bundle.directory / engine.file).read_bytes()
        assert engine.flags == ("no_tf32", "strongly_typed")
    assert files(built_once) == {*bundle.manifest.files, "manifest.json"}


def test_engines_take_what_the_runtime_gives_them(built_once: Path) -> None:
    found = engines(Bundle.open(built_once))
    assert found["image"].profile["frame"] == ((1, 32, 32, 3), (1, 480, 640, 3), (8, 1080, 1920, 3))
    assert found["fusion"].profile["prompts"] == ((1, 3), (3, 3), (256, 3))
    assert found["fusion"].profile["present"] == ((1, 2), (1, 2), (8, 2))
    assert found["text"].profile["ids"][2] == (256, 4), "all prompts are encoded in one batch"


def test_the_same_engine_is_taken_over_and_not_built_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make("first")
    monkeypatch.setattr(build, "plan_of", lambda *_: pytest.fail("built again"))
    second = make("second", former=first.directory)
    assert second.manifest == first.manifest
    assert (second.directory / engines(second)["image"].file).read_bytes()


@pytest.mark.parametrize(
    "request_", [EngineRequest("tensorrt-rtx", ("8.9",)), EngineRequest("tensorrt-rtx", sizes={"batch": (1, 1, 2)})]
)
def test_another_capability_or_size_is_another_engine(make: Make, built_once: Path, request_: EngineRequest) -> None:
    former = engines(Bundle.open(built_once))
    other = engines(make("other", request_, built_once))
    assert all(other[name].key != former[name].key for name in ("image", "fusion"))


def test_an_altered_former_engine_is_built_anew(make: Make, equipped: Path) -> None:
    file = engines(Bundle.open(equipped))["text"].file
    (equipped / file).write_bytes(b"altered")
    assert (make("new", former=equipped).directory / file).stat().st_size > 1000


@pytest.mark.parametrize("former", ["missing", "no_bundle"])
def test_a_former_directory_without_a_bundle_does_no_harm(make: Make, tmp_path: Path, former: str) -> None:
    (tmp_path / "no_bundle").mkdir()
    assert engines(make("new", former=tmp_path / former))


def test_one_engine_for_each_compute_capability(make: Make) -> None:
    bundle = make("several", EngineRequest("tensorrt-rtx", ("8.6", "12.0", "8.6")))
    for graph in bundle.manifest.graphs.values():
        assert [engine.compute_capability for engine in graph.engines] == ["8.6", "12.0"]


def test_what_is_kept_is_what_the_built_engine_says_of_itself(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT lists a built engine's tensors in its log, if it is told to be detailed."""
    said: list[str] = []
    configured = plan._configured
    trt = load_package("tensorrt-rtx").module

    def detailed(*arguments: Any) -> Any:
        config = configured(*arguments)
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        return config

    monkeypatch.setattr(plan, "_configured", detailed)
    monkeypatch.setattr(network, "error_log", lambda package: listening_log(package, said))
    kept = [
        (t.name, side, t.dtype, [-1 if isinstance(size, str) else size for size in t.shape])
        for engine in engines(make("detailed")).values()
        for side, tensors in (("Input", engine.inputs), ("Output", engine.outputs))
        for t in tensors
    ]
    assert sorted(tensors_in("\n".join(said))) == sorted(kept)


def listening_log(package: Any, said: list[str]) -> ErrorLog:
    class Sink(package.ILogger):
        def __init__(self) -> None:
            package.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            said.append(message)

    return ErrorLog(Sink(), [])


def tensors_in(log: str) -> list[tuple[str, str, str, list[int]]]:
    types = {"Float": "float32", "UInt8": "uint8", "Int64": "int64", "Bool": "bool"}
    found = re.findall(r"^ Name: (\w+), IOMode: (\w+), DataType: (\w+), Dimensions: \[([-\d,]*)\]", log, re.MULTILINE)
    return [(name, side, types[kind], [int(size) for size in sizes.split(",")]) for name, side, kind, sizes in found]


def test_progress_never_goes_back_and_ends_at_the_total(
    plain_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_LOOK_S", 0.001)
    manifest, seen = read_manifest(plain_bundle), []
    for graph in manifest.graphs.values():
        (tmp_path / graph.file).write_bytes((plain_bundle / graph.file).read_bytes())
    build_engines(tmp_path, manifest, RTX, progress=lambda stage, done, total: seen.append((stage, done, total)))
    assert {(stage, total) for stage, _, total in seen} == {("build engines", 300)}
    steps = [done for _, done, _ in seen]
    assert steps == sorted(steps)
    assert steps[-1] == 300
    assert any(step % 100 for step in steps), "shown within an engine as well"


def test_an_interrupted_build_stops_tensorrt_and_leaves_no_engine(
    plain_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[ErrorLog] = []
    error_log = network.error_log
    monkeypatch.setattr(plan, "_LOOK_S", 0.001)
    monkeypatch.setattr(network, "error_log", lambda package: logs.append(error_log(package)) or logs[-1])
    (tmp_path / "image.onnx").write_bytes((plain_bundle / "image.onnx").read_bytes())
    seen: list[int] = []

    def interrupt(stage: str, done: int, total: int) -> None:
        seen.append(done)
        if len(seen) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engines(tmp_path, read_manifest(plain_bundle), RTX, progress=interrupt)
    assert any("BuildCanceled" in error for error in logs[0].errors)
    assert files(tmp_path) == {"image.onnx"}


def test_no_room_leaves_nothing_behind(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ExportError, match=r"cannot write the engine .*image-.*No space left"):
        make("full")
    assert not list((tmp_path / "full" / "engines").iterdir())


def test_a_request_that_cannot_be_met_is_refused_before_any_work() -> None:
    with pytest.raises(ExportError, match=r"compute capability '3\.5'"):
        check_request(EngineRequest("tensorrt-rtx", ("8.9", "3.5")))
    check_request(RTX)
