"""Graphs as ONNX Runtime optimised them for this machine, kept on disk so that a session is created in less time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import onnxruntime

from edgefuse.runtime.cache_folder import cache_folder
from edgefuse.runtime.engines.engine import first_line
from edgefuse.runtime.engines.processor import this_cpu

MAX_ENTRIES: Final = 64
MAX_BYTES: Final = 2 << 30

Options: TypeAlias = Callable[[], onnxruntime.SessionOptions]
"""Makes a session's options anew: each attempt to create one changes its own."""

_GRAPH, _WEIGHTS, _SEAL = "graph.onnx", "weights.bin", "sizes.json"
_LAYOUT = 1
_UNFINISHED = ".new-"
_ABANDONED_S = 3600.0
_GROWTH = 3  # an entry takes up to twice the graph's size, for weights are kept both plain and packed
_SAVING = {
    "session.optimized_model_external_initializers_file_name": _WEIGHTS,
    "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
    "session.save_external_prepacked_constant_initializers": "1",
}
_log = logging.getLogger(__name__)
_complained: set[Path] = set()


class GraphCache:
    """A directory with one entry per graph, ONNX Runtime, CPU and session options; safe with several processes.

    An entry is the optimised graph with its weights in a file of their own, which is mapped into memory instead of
    read. It appears whole, by a rename, and is used if its files have the sizes that they were sealed with. The 64
    entries used last are kept, and of these no more than 2 GB: some networks of BERT's size, or every bundle that a
    robot tries in months. Making an entry takes, once, some four times as long as loading the plain graph. Whatever is
    wrong with the cache is logged once, and the plain graph is loaded.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def session(
        self, path: Path, sha256: str, options: Options, said: Mapping[str, str]
    ) -> onnxruntime.InferenceSession:
        """A session on the CPU for the graph at `path`, whose checksum is known.

        `said` names everything that `options` sets. Raises what ONNX Runtime raises where the graph itself is bad.
        """
        entry = self.directory / _key(sha256, said)
        try:
            session = _opened(entry, options) or self._made(entry, path, options)
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            session = _session(path, options())
            _complain(self.directory, first_line(error))
        return session or _session(path, options())

    def size(self) -> tuple[int, int]:
        """Entries and bytes."""
        entries = _entries(self.directory)
        return len(entries), sum(_bytes(entry) for entry in entries)

    def _made(self, entry: Path, path: Path, options: Options) -> onnxruntime.InferenceSession | None:
        """Optimise the graph, keep it, and open what was kept; None where there is no room for it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.directory).free < _GROWTH * path.stat().st_size:
            _complain(self.directory, "the disk is nearly full")
            return None
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.directory))
        try:
            _save(path, unfinished, options())
            _rename(unfinished, entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        prune(self.directory, entry)
        return _opened(entry, options)


def default_directory() -> Path | None:
    """Where graphs are cached; None for a user who has no home."""
    folder = cache_folder()
    return None if folder is None else folder / "graphs"


def _session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _opened(entry: Path, options: Options) -> onnxruntime.InferenceSession | None:
    """A session on an entry; None if it is not there, incomplete, or removed by another process just now."""
    if not _whole(entry):
        return None
    optimised = options()
    optimised.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = _session(entry / _GRAPH, optimised)
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        _log.info("%s is made anew: %s", entry, error)
        shutil.rmtree(entry, ignore_errors=True)
        return None
    mark_used(entry)
    return session


def _save(path: Path, directory: Path, options: onnxruntime.SessionOptions) -> None:
    """Let ONNX Runtime optimise the graph into a directory, and bring it to the disk before it is named."""
    options.optimized_model_filepath = str(directory / _GRAPH)
    for key, value in _SAVING.items():
        options.add_session_config_entry(key, value)
    _session(path, options)
    sizes = {file.name: file.stat().st_size for file in directory.iterdir()}
    (directory / _SEAL).write_text(json.dumps(sizes))
    for file in directory.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())


def _rename(unfinished: Path, entry: Path) -> None:
    try:
        unfinished.rename(entry)
    except OSError:  # another process was first, or a damaged entry is in the way
        if not _whole(entry):
            shutil.rmtree(entry)
            unfinished.rename(entry)


def _whole(entry: Path) -> bool:
    try:
        sizes = json.loads((entry / _SEAL).read_text())
        return _GRAPH in sizes and all((entry / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def mark_used(entry: Path) -> None:
    """Let it count as used now, for `prune`."""
    try:
        os.utime(entry)
    except OSError:
        _log.debug("%s cannot be marked as used; it may be removed earlier", entry)


def prune(directory: Path, newest: Path) -> None:
    """Remove the entries used longest ago but `newest`, and what processes that died have left behind."""
    now_s = newest.stat().st_mtime
    for abandoned in directory.glob(f"{_UNFINISHED}*"):
        if now_s - _used_s(abandoned) > _ABANDONED_S:
            shutil.rmtree(abandoned, ignore_errors=True)
    kept_bytes = 0
    for place, entry in enumerate(sorted(_entries(directory), key=lambda entry: (entry != newest, -_used_s(entry)))):
        kept_bytes += _bytes(entry)
        if entry != newest and (place >= MAX_ENTRIES or kept_bytes > MAX_BYTES):
            shutil.rmtree(entry, ignore_errors=True)


def _entries(directory: Path) -> list[Path]:
    return [entry for entry in directory.glob("[!.]*") if entry.is_dir()]


def _used_s(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:  # removed by another process
        return 0.0


def _bytes(entry: Path) -> int:
    try:
        return sum(file.stat().st_size for file in entry.iterdir())
    except OSError:  # removed by another process
        return 0


def _key(sha256: str, said: Mapping[str, str]) -> str:
    parts = [_LAYOUT, sha256, onnxruntime.__version__, onnxruntime.get_build_info(), this_cpu(), sorted(said.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _complain(directory: Path, reason: str) -> None:
    """Once in a process."""
    if directory not in _complained:
        _complained.add(directory)
        _log.warning("graphs are loaded more slowly, since %s cannot be used as their cache: %s", directory, reason)
