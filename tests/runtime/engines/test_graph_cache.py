"""Optimised graphs are kept for this machine: sooner ready, the same results, and never in the way."""

import json
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError
from edgefuse.runtime.engines import graph_cache
from edgefuse.runtime.engines.engine_onnxruntime import cached_session, open_on_cpu, session_options
from edgefuse.runtime.engines.graph_cache import GraphCache, default_directory
from edgefuse.runtime.files import cache_folder

BUNDLE = Bundle.open(DEFAULT_BUNDLE)
SIZES = {"batch": 2, "height": 96, "width": 128, "classes": 5}
OPENS_A_SESSION = """
import sys, numpy as np
from pathlib import Path
from edgefuse.runtime.engines.engine_onnxruntime import cached_session, session_options
from edgefuse.runtime.engines.graph_cache import GraphCache
for _ in range(2):
    session = cached_session(GraphCache(Path(sys.argv[1])), Path(sys.argv[2]), "0" * 64, session_options, {})
print(float(session.run(None, {"ids": np.arange(1, 33, dtype=np.int64)[None]})[0].sum()))
"""


def graph_of(name: str) -> tuple[Path, str]:
    file = BUNDLE.manifest.graphs[name].file
    return DEFAULT_BUNDLE / file, BUNDLE.manifest.files[file].sha256


def opened(cache: GraphCache, path: Path, sha256: str = "0" * 64) -> onnxruntime.InferenceSession:
    return cached_session(cache, path, sha256, session_options, {})


def inputs_of(name: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = {}
    for tensor in BUNDLE.manifest.graphs[name].inputs:
        shape = [size if isinstance(size, int) else SIZES[size] for size in tensor.shape]
        values = rng.normal(size=shape) if tensor.dtype == "float32" else rng.integers(1, 20, shape)
        inputs[tensor.name] = values.astype(tensor.dtype)
    return inputs


@pytest.fixture
def cache(tmp_path: Path) -> GraphCache:
    return GraphCache(tmp_path / "graphs")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A copy of the text graph, to be taken away."""
    copy = tmp_path / "text.onnx"
    copy.write_bytes(graph_of("text")[0].read_bytes())
    return copy


def entry_of(cache: GraphCache) -> Path:
    (entry,) = cache.directory.iterdir()
    return entry


@pytest.mark.parametrize("name", ["image", "audio", "text", "fusion"])
def test_what_is_cached_gives_the_same_numbers(cache, name):
    path, sha256 = graph_of(name)
    plain = onnxruntime.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
    expected = plain.run(None, inputs_of(name))
    for _ in ("made", "cached"):
        found = opened(cache, path, sha256).run(None, inputs_of(name))
        assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


def test_the_second_session_does_not_need_the_graph_itself(cache, text):
    first = opened(cache, text).run(None, inputs_of("text"))
    text.unlink()
    second = opened(cache, text).run(None, inputs_of("text"))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_another_graph_other_options_or_another_onnxruntime_is_another_entry(cache, text, monkeypatch):
    opened(cache, text)
    opened(cache, text, "1" * 64)
    cached_session(cache, text, "0" * 64, session_options, {"threads": "2"})
    monkeypatch.setattr(onnxruntime, "__version__", "99")
    opened(cache, text)
    assert cache.size()[0] == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "weights.bin").unlink(),
        lambda entry: (entry / "weights.bin").write_bytes((entry / "weights.bin").read_bytes()[:-4096]),
        lambda entry: (entry / "graph.onnx").write_bytes(bytes((entry / "graph.onnx").stat().st_size)),
        lambda entry: (entry / "seal.json").write_text("{"),
        lambda entry: (entry / "seal.json").write_text(json.dumps(["graph.onnx"])),
    ],
    ids=["no weights", "short weights", "zeros for a graph", "a cut seal", "a foreign seal"],
)
def test_a_damaged_entry_is_made_anew(cache, text, damage):
    expected = opened(cache, text).run(None, inputs_of("text"))
    damage(entry_of(cache))
    found = opened(cache, text).run(None, inputs_of("text"))
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))
    text.unlink()
    assert opened(cache, text).run(None, inputs_of("text"))


def test_a_place_that_cannot_be_written_is_said_once_and_does_no_harm(tmp_path, text, caplog):
    (tmp_path / "file").write_text("")
    cache = GraphCache(tmp_path / "file" / "graphs")
    for _ in range(3):
        assert opened(cache, text).run(None, inputs_of("text"))
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert str(cache.directory) in said
    assert "Not a directory" in said
    assert "\n" not in said


def test_a_nearly_full_disk_is_left_alone(cache, text, monkeypatch, caplog):
    monkeypatch.setattr(graph_cache, "_GROWTH", 1e12)
    assert opened(cache, text).run(None, inputs_of("text"))
    assert cache.size() == (0, 0)
    assert "nearly full" in caplog.text


def test_a_disk_that_fills_up_while_writing_does_no_harm(cache, text):
    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-c", OPENS_A_SESSION, str(cache.directory), str(text)]
    result = subprocess.run(command, preexec_fn=limit_files, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout)
    assert cache.size()[0] == 0
    assert not list(cache.directory.iterdir())
    (said,) = result.stderr.strip().splitlines()
    assert "Failed to write" in said


def test_processes_that_begin_together_share_one_entry(cache, text):
    command = [sys.executable, "-c", OPENS_A_SESSION, str(cache.directory), str(text)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    said = [process.communicate(timeout=60) for process in processes]
    assert len({stdout for stdout, _ in said}) == 1
    assert not any(stderr for _, stderr in said)
    assert entry_of(cache)


def test_the_entries_used_last_are_kept(cache, text, monkeypatch):
    monkeypatch.setattr(cache_folder, "MAX_ENTRIES", 2)
    now_s = text.stat().st_mtime
    for number, age_s in ((1, 200), (2, 100), (1, 50)):
        opened(cache, text, str(number) * 64)
        newest = max(cache.directory.iterdir(), key=lambda entry: entry.stat().st_mtime)
        os.utime(newest, (now_s - age_s, now_s - age_s))
    opened(cache, text, "3" * 64)
    text.unlink()
    assert cache.size()[0] == 2
    assert opened(cache, text, "1" * 64)
    assert opened(cache, text, "3" * 64)


def test_the_cache_keeps_within_its_size(cache, text, monkeypatch):
    opened(cache, text)
    monkeypatch.setattr(cache_folder, "MAX_BYTES", int(1.5 * cache.size()[1]))
    opened(cache, text, "1" * 64)
    assert cache.size()[0] == 1
    text.unlink()
    assert opened(cache, text, "1" * 64)


def test_what_a_killed_process_left_is_removed(cache, text):
    opened(cache, text)
    old, young = cache.directory / ".new-old", cache.directory / ".new-young"
    old.mkdir()
    young.mkdir()
    long_ago_s = text.stat().st_mtime - 7200
    os.utime(old, (long_ago_s, long_ago_s))
    opened(cache, text, "1" * 64)
    assert young.is_dir()
    assert not old.exists()


def test_a_graph_that_is_none_is_not_the_caches_fault(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "graph.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="ONNX Runtime cannot load this graph"):
        open_on_cpu(tmp_path / "graph.onnx", "0" * 64)
    assert not caplog.records


def test_it_lies_where_the_user_wants_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    open_on_cpu(*graph_of("text"))
    assert default_directory() == tmp_path / "edgefuse" / "graphs"
    assert GraphCache(tmp_path / "edgefuse" / "graphs").size()[0] == 1
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".cache" / "edgefuse" / "graphs"
