"""The start of a process: how long to the first percept, and how much memory it takes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgefuse.bench.errors import BenchError
from edgefuse.bench.load.variants import Variant
from edgefuse.bench.report.result import Start

_RUNNING_S = 1.5
"""Of the process whose memory is measured, after its first percept."""

_LONGEST_S = 60.0
"""Until the first percept: a bundle of gigabytes takes a third of it."""

_KILOBYTE = 1024


def measure_start(variant: Variant, times: int) -> Start:
    """Start `edgefuse run` on the source anew so many times; raises BenchError where it gives no percept."""
    starts = [_start(variant, _RUNNING_S if index == times - 1 else 0.0) for index in range(times)]
    seconds = tuple(seconds for seconds, _ in starts)
    return Start(seconds=seconds, p50_s=float(np.median(seconds)), peak_mb=starts[-1][1])


def _start(variant: Variant, running_s: float) -> tuple[float, float | None]:
    """Seconds to the first percept, and the peak of the resident memory [MB] so long after it, if it still ran."""
    options = ["--bundle", str(variant.bundle.directory), "--backend", variant.backend, "--jsonl", "-"]
    command = [sys.executable, "-m", "edgefuse", "run", variant.workload.source, *options]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process, _ended_late(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.monotonic() - start
        until = time.monotonic() + running_s
        while process.poll() is None and time.monotonic() < until:
            process.stdout.readline()
        peak_mb = _read_peak_mb(process.pid)
        process.kill()
    if not line:
        raise BenchError(f"`edgefuse run` gave no percept of {variant.workload.source} in {seconds:.0f} s")
    return seconds, peak_mb


@contextmanager
def _ended_late(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends a process that falls silent, which would be waited for."""
    timer = threading.Timer(_LONGEST_S, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read_peak_mb(pid: int) -> float | None:
    """Of a running process; what `wait4` says would be at least the memory of the process that started it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * _KILOBYTE / 1e6 for line in lines if line.startswith("VmHWM:")), None)
