"""The start of a process, measured on programs made up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.variants import Variant, open_variants
from edgefuse.bench.runs import start
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP


@pytest.fixture(scope="module")
def variant() -> Variant:
    return open_variants([DEFAULT_BUNDLE], ["cpu"], DEFAULT_CLIP)[0]


def act(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str) -> Path:
    """Let a shell script stand for Python; gives the file of the arguments of each start."""
    script, arguments = tmp_path / "python", tmp_path / "arguments"
    script.write_text(f'#!/bin/sh\necho "$@" >> {arguments}\n{lines}\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(start, "_RUNNING_S", 0.2)
    return arguments


def test_it_is_started_as_often_as_was_asked_for(monkeypatch, tmp_path, variant):
    arguments = act(monkeypatch, tmp_path, "while :; do echo percept; sleep 0.05; done")
    measured = start.measure_start(variant, 3)
    assert len(measured.seconds) == 3
    assert measured.p50_s == sorted(measured.seconds)[1]
    (line,) = set(arguments.read_text().splitlines())
    assert line == f"-m edgefuse run {DEFAULT_CLIP} --bundle {DEFAULT_BUNDLE} --backend cpu --jsonl -"


def test_the_time_is_to_the_first_percept(monkeypatch, tmp_path, variant):
    act(monkeypatch, tmp_path, "sleep 0.3; echo percept; sleep 0.3; echo another")
    (seconds,) = start.measure_start(variant, 1).seconds
    assert seconds >= 0.3


def test_a_process_that_has_ended_has_no_peak(monkeypatch, tmp_path, variant):
    act(monkeypatch, tmp_path, "echo percept")
    assert start.measure_start(variant, 1).peak_mb is None


def test_memory_is_of_the_started_process_not_of_this_one(monkeypatch, tmp_path, variant):
    act(monkeypatch, tmp_path, "while :; do echo percept; sleep 0.05; done")
    peak_mb = start.measure_start(variant, 1).peak_mb
    assert peak_mb is not None
    assert 0 < peak_mb < 20, "a shell's"


def test_without_a_percept_it_is_one_line(monkeypatch, tmp_path, variant):
    act(monkeypatch, tmp_path, "echo a traceback >&2; exit 1")
    with pytest.raises(BenchError, match=r"`edgefuse run` gave no percept of .*tabletop\.mp4"):
        start.measure_start(variant, 1)


@pytest.mark.parametrize("said", ["", "echo percept; "])
def test_one_that_falls_silent_is_not_waited_for(monkeypatch, tmp_path, variant, said):
    act(monkeypatch, tmp_path, f"{said}exec sleep 3600")
    monkeypatch.setattr(start, "_LONGEST_S", 0.5)
    if said:
        assert start.measure_start(variant, 1).peak_mb is None or start.measure_start(variant, 1).peak_mb
    else:
        with pytest.raises(BenchError, match="gave no percept"):
            start.measure_start(variant, 1)
