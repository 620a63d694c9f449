"""The processor of this machine: what its kernels depend on, and what people call it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_DECIDING = ("vendor_id", "model name", "flags", "CPU implementer", "CPU part", "Features")
_NAMING = ("model name", "hardware")


@cache
def this_cpu() -> str:
    """What decides which kernels and layouts ONNX Runtime chooses: the model and its features."""
    return "\n".join([platform.machine(), *sorted({line for line in _lines() if line.startswith(_DECIDING)})])


def processor_name() -> str:
    """Its name as Linux knows it; else what Python does."""
    named = [line.split(":", 1)[1].strip() for line in _lines() if line.lower().startswith(_NAMING)]
    return named[0] if named else platform.processor() or platform.machine()


def _lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
