"""The machine and the software that figures were taken on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edgefuse.bench.report.result import Host
from edgefuse.runtime.engines.processor import processor_name
from edgefuse.runtime.extras import installed_version

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "torch", "openvino", "tensorrt")


def describe_host(load_before: float) -> Host:
    """As it is now."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Host(
        cpu=processor_name(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=pages // 1_000_000,
        governor=_read_line(_GOVERNOR),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        load=(round(load_before, 2), round(read_load(), 2)),
    )


def read_load() -> float:
    """The 1-minute load average."""
    return os.getloadavg()[0]


def list_versions() -> dict[str, str]:
    """Of Python, of edgefuse, and of those packages that decide figures and are installed."""
    packages = {package: installed_version(package) for package in ("edgefuse", *_PACKAGES)}
    return {"python": platform.python_version()} | {name: version for name, version in packages.items() if version}


def _read_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
