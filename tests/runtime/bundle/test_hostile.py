"""Bundles that were made to crash, hang or take all memory: each is refused as an ordinary mistake is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sealed import edit, seal

from edgefuse.runtime import DEFAULT_BUNDLE

MB = 1 << 20
MOST_MORE_MB = 300
MOST_TIMES_LONGER = 3.0

Change = Callable[[Path], object]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it said, how long it took, and the most memory that it had."""

    code: int
    said: str
    took_s: float
    peak_mb: float


def run(bundle: Path, *more: str) -> Ended:
    command = [sys.executable, "-m", "edgefuse", "run", "--fast", "--bundle", str(bundle), *more]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return Ended(child.returncode, said, time.monotonic() - began, usage.ru_maxrss * 1024 / MB)


@pytest.fixture(scope="module")
def ordinary() -> Ended:
    """A start that ends with the last thing that is looked at: what it is asked for."""
    run(DEFAULT_BUNDLE, "--prompt", " ")  # by which graphs come into the cache
    ended = run(DEFAULT_BUNDLE, "--prompt", " ")
    assert (ended.code, ended.said.count("\n")) == (2, 1)
    assert "a prompt is empty" in ended.said
    return ended


def manifest(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda bundle: edit(bundle, change)


def raw_manifest(text: str) -> Change:
    return lambda bundle: (bundle / "manifest.json").write_text(text)


def file(name: str, write: Callable[[Path], object]) -> Change:
    """Another file in the place of one, which the manifest then describes as it is."""

    def change(bundle: Path) -> None:
        path = bundle / name
        path.unlink()
        write(path)
        if path.is_file() and path.stat().st_size < 1 << 30:
            edit(bundle, lambda manifest: None)

    return change


def text_file(name: str, text: str) -> Change:
    return file(name, lambda path: path.write_text(text))


def grown(bundle: Path) -> None:
    os.truncate(bundle / "image.onnx", 10 << 30)


def large_and_said_to_be(bundle: Path) -> None:
    os.truncate(bundle / "image.onnx", 10 << 30)
    path = bundle / "manifest.json"
    said = json.loads(path.read_text())
    said["files"]["image.onnx"]["bytes"] = 10 << 30
    seal(bundle, said)


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Change:
    def write(bundle: Path) -> None:
        path = bundle / "tokenizer.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        edit(bundle, lambda manifest: None)

    return write


def golden_bomb(path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 32), }\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("text/inputs/ids.npy", "w") as member,
    ):
        member.write(start)
        for _ in range(200):
            member.write(bytes(MB))


def golden_of_many_samples(path: Path) -> None:
    vectors = dict(np.load(DEFAULT_BUNDLE / "golden.npz").items())
    many = {name: np.repeat(array, 2000, axis=0) for name, array in vectors.items() if name.startswith("text/")}
    np.savez_compressed(path, **vectors | many)


def large_run(size: int) -> Callable[[Path], object]:
    """A graph that makes a tensor of so many floats of what it is given."""

    def write(path: Path) -> None:
        model = onnx.load(DEFAULT_BUNDLE / "text.onnx")
        graph = model.graph
        for node in graph.node:
            node.output[:] = ["small" if name == "embedding" else name for name in node.output]
        for name, value in (("wide", [size]), ("first", [0])):
            graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], value))
        graph.initializer.append(helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]))
        graph.node.extend(
            [
                helper.make_node("Cast", [graph.input[0].name], ["given"], to=TensorProto.FLOAT),
                helper.make_node("ReduceSum", ["given"], ["sum"], keepdims=0),
                helper.make_node("Expand", ["sum", "wide"], ["large"]),
                helper.make_node("ReduceMax", ["large"], ["most"], keepdims=0),
                helper.make_node("Mul", ["most", "zero"], ["nothing"]),
                helper.make_node("Add", ["small", "nothing"], ["embedding"]),
            ]
        )
        onnx.save(model, path)

    return write


def large_weights(path: Path) -> None:
    model = onnx.load(DEFAULT_BUNDLE / "text.onnx")
    model.graph.initializer.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[10**11]))
    model.graph.node.append(helper.make_node("Identity", ["w"], ["unused"]))
    onnx.save(model, path)


def weights_outside(path: Path) -> None:
    model = onnx.load(DEFAULT_BUNDLE / "text.onnx")
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[100], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../../../../etc/passwd"
    model.graph.initializer.append(tensor)
    onnx.save(model, path)


def familiar(**fields: Any) -> Change:
    content = json.loads((DEFAULT_BUNDLE / "familiar.json").read_text())
    content["outputs"][0] |= fields
    return text_file("familiar.json", json.dumps(content))


AUDIO = 1
HOSTILE: dict[str, Change] = {
    "a rate of 1e30": manifest(lambda m: m["modalities"][AUDIO].update(rate_hz=10**30)),
    "a hop of 2^63": manifest(lambda m: m["modalities"][AUDIO].update(hop_samples=2**63)),
    "labels that are numbers": manifest(lambda m: m.update(labels={f"{n:x}": n for n in range(60_000)})),
    "a million modalities": manifest(lambda m: m.update(modalities=[0] * 300_000)),
    "a tensor of 1e18": manifest(lambda m: m["fusion"]["inputs"][0].update(shape=["batch", 10**9, 10**9])),
    "a manifest altered by hand": lambda bundle: raw_manifest(
        (bundle / "manifest.json").read_text().replace("16000", "8000")
    )(bundle),
    "a manifest that is nested": raw_manifest("[" * 900_000),
    "a manifest of brackets": raw_manifest("[" + "[]," * 300_000 + "[]]"),
    "a manifest of 100 MB": lambda bundle: os.truncate(bundle / "manifest.json", 100 * MB),
    "a manifest that is a pipe": file("manifest.json", os.mkfifo),
    "a manifest that is a device": file("manifest.json", lambda path: path.symlink_to("/dev/zero")),
    "a graph that is a pipe": file("audio.onnx", os.mkfifo),
    "a graph that is a device": file("audio.onnx", lambda path: path.symlink_to("/dev/zero")),
    "a graph that grew to 10 GB": grown,
    "a graph of 10 GB": large_and_said_to_be,
    "a graph that takes 100 GB": file("text.onnx", large_run(25_000_000_000)),
    "a graph that takes 6 GB": file("text.onnx", large_run(1_500_000_000)),
    "weights of 400 GB": file("text.onnx", large_weights),
    "weights outside": file("text.onnx", weights_outside),
    "golden vectors of 30 GB": file("golden.npz", golden_bomb),
    "golden vectors of many samples": file("golden.npz", golden_of_many_samples),
    "golden vectors that are none": text_file("golden.npz", "PK" * 100),
    "padding to a billion tokens": tokenizer(lambda t: t["padding"].update(strategy={"Fixed": 10**9})),
    "a nested repetition": tokenizer(
        lambda t: t.update(
            pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": False}
        )
    ),
    "a tokenizer of 100 MB": file("tokenizer.json", lambda path: (path.touch(), os.truncate(path, 100 * MB))),
    "a familiar set of brackets": text_file("familiar.json", "[" + "[]," * 5_000_000 + "[]]"),
    "a familiar set of texts": familiar(centres=[["a"] * 400_000]),
    "a familiar set that is nested": text_file("familiar.json", "[" * 400_000),
    "a confidence of no use": text_file("confidence.json", "{" + '"a":1,' * 400_000 + '"b":1}'),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", list(HOSTILE.values()), ids=list(HOSTILE))
def test_a_hostile_bundle_is_refused_in_one_line(tmp_path: Path, ordinary: Ended, change: Change) -> None:
    bundle = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    change(bundle)
    ended = run(bundle)
    print(ended, ordinary)
    assert ended.code == 2, ended.said
    assert ended.said.count("\n") == 1, ended.said
    assert ended.said.startswith("edgefuse: ")
    assert ended.peak_mb < ordinary.peak_mb + MOST_MORE_MB
    assert ended.took_s < MOST_TIMES_LONGER * ordinary.took_s
