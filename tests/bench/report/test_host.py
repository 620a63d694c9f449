"""The machine that figures were taken on."""

from __future__ import annotations

import os
import platform

from edgefuse.bench.report import host


def test_the_host_is_this_machine():
    described = host.describe_host(0.123)
    assert described.cores == len(os.sched_getaffinity(0))
    assert described.cpu
    assert described.load[0] == 0.12
    assert platform.machine() in described.system
    assert 100 < described.memory_mb < 100_000_000


def test_fewer_cores_that_this_process_may_use_are_fewer_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert host.describe_host(0.0).cores == 1


def test_the_governor_is_said_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "_GOVERNOR", tmp_path / "scaling_governor")
    assert host.describe_host(0.0).governor is None
    (tmp_path / "scaling_governor").write_text("powersave\n")
    assert host.describe_host(0.0).governor == "powersave"


def test_versions_are_of_what_is_installed():
    versions = host.list_versions()
    assert list(versions)[:2] == ["python", "edgefuse"]
    assert versions["python"] == platform.python_version()
    assert {"numpy", "onnxruntime"} <= set(versions)
    assert all(versions.values())
