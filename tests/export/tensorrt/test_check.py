"""Engines that do not belong to their bundle are found on a machine without a GPU."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from rich.console import Console

from edgefuse.export.tensorrt import check_engines, check_numbers, engine_table
from edgefuse.export.tensorrt.build import with_engines
from edgefuse.runtime.bundle.bundle import Bundle, described
from edgefuse.runtime.bundle.manifest import EngineSpec, read_manifest
from edgefuse.runtime.errors import BundleError


def failures(directory: Path) -> list[str]:
    return [check.failure for check in check_engines(Bundle.open(directory)) if check.failure is not None]


def change(directory: Path, graph: str, edit: Callable[[EngineSpec], EngineSpec | None]) -> None:
    """Write the manifest with the engine of one graph changed, or left out."""
    manifest = read_manifest(directory)
    engines = {name: spec.engines for name, spec in manifest.graphs.items()}
    edited = edit(engines[graph][0])
    with_engines(directory, manifest, engines | {graph: () if edited is None else (edited,)}).write(directory)


def test_engines_of_a_fresh_bundle_are_right_and_parsed_again(equipped: Path) -> None:
    checks = check_engines(Bundle.open(equipped))
    assert [check.graph for check in checks] == ["image", "text", "fusion"]
    assert all(check.parsed_again and check.failure is None for check in checks)


def test_without_the_package_the_rest_is_still_checked(equipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    checks = check_engines(Bundle.open(equipped))
    assert not any(check.parsed_again or check.failure for check in checks)


def test_an_engine_of_an_older_graph_is_stale(equipped: Path) -> None:
    model = onnx.load(equipped / "text.onnx")
    model.graph.node[0].attribute[0].t.float_data[3] = 0.5
    onnx.save(model, equipped / "text.onnx")
    manifest = read_manifest(equipped)
    files = manifest.files | {"text.onnx": described(equipped / "text.onnx")}
    manifest.model_copy(update={"files": files}).write(equipped)
    (failure,) = failures(equipped)
    assert "was built from another text.onnx" in failure
    assert "export the bundle again" in failure


@pytest.mark.parametrize("field", [{"version": "1.0"}, {"compute_capability": "8.9"}, {"flags": ()}])
def test_an_engine_that_is_said_to_be_another_is_found_by_its_key(equipped: Path, field: dict[str, object]) -> None:
    change(equipped, "image", lambda engine: engine.model_copy(update=field))
    (failure,) = failures(equipped)
    assert "which is not in its name" in failure


def test_an_engine_of_another_graph_is_foreign(equipped: Path) -> None:
    foreign = read_manifest(equipped).graphs["text"].engines[0]
    change(equipped, "image", lambda _: foreign)
    (failure,) = failures(equipped)
    assert "was built from another image.onnx" in failure


def test_inputs_that_are_not_the_graphs_are_named(equipped: Path) -> None:
    def narrowed(engine: EngineSpec) -> EngineSpec:
        frame = engine.inputs[0].model_copy(update={"dtype": "float32"})
        return engine.model_copy(update={"inputs": (frame,)})

    change(equipped, "image", narrowed)
    (failure,) = failures(equipped)
    assert "frame is uint8 ['batch', 'height', 'width', 3] in the graph, float32" in failure


def test_outputs_that_the_package_does_not_see_are_found(equipped: Path) -> None:
    """A size that varies agrees with any: only parsing the graph again shows that it is made up."""

    def loosened(engine: EngineSpec) -> EngineSpec:
        tokens = engine.outputs[0].model_copy(update={"shape": ("batch", "any", 3)})
        return engine.model_copy(update={"outputs": (tokens, engine.outputs[1])})

    change(equipped, "text", loosened)
    (failure,) = failures(equipped)
    assert "sees other inputs and outputs in graph text" in failure


def test_a_graph_without_an_engine_is_found(equipped: Path) -> None:
    change(equipped, "fusion", lambda _: None)
    (failure,) = failures(equipped)
    assert "graph fusion has no engine for tensorrt-rtx" in failure


def test_an_altered_engine_file_does_not_open(equipped: Path) -> None:
    engine = read_manifest(equipped).graphs["image"].engines[0]
    (equipped / engine.file).write_bytes(b"altered")
    with pytest.raises(BundleError, match="was altered"):
        Bundle.open(equipped)


def test_a_bundle_for_onnx_needs_no_engines(plain_bundle: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(plain_bundle, tmp_path / "plain"))
    assert check_engines(Bundle.open(directory)) == ()


def test_the_table_shows_each_engine_and_why_no_numbers_were_compared(equipped: Path) -> None:
    change(equipped, "fusion", lambda _: None)
    console = Console(width=160, file=io.StringIO())
    bundle = Bundle.open(equipped)
    console.print(engine_table(check_engines(bundle), check_numbers(bundle)))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert any("fusion" in line and "no engine" in line and "broken" in line for line in lines)
    assert any("image" in line and "8.0 and later" in line and "parsed again" in line for line in lines)
    assert any("numbers not compared: the bundle has no golden vectors" in line for line in lines)
