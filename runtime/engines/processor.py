"""The processor of this machine: what its kernels depend on, and what people call it."""

from __future__ import annotations

import platform
from collections import Counter
from functools import cache
from pathlib import Path

_ROOT = Path("/")
_DECIDING = ("vendor_id", "model name", "flags", "CPU implementer", "CPU part", "Features")
_CORES = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4b"): "Cortex-A78C",
    ("0x41", "0xd4d"): "Cortex-A715",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720",
    ("0x41", "0xd83"): "Neoverse-V3AE",
    ("0x4e", "0x003"): "Denver 2",
    ("0x4e", "0x004"): "Carmel",
}
"""Names by implementer and part, as `lscpu` has them, of the cores that robots' computers have."""


@cache
def this_cpu() -> str:
    """What decides which kernels and layouts ONNX Runtime chooses: the model and its features."""
    return "\n".join([platform.machine(), *sorted({line for line in _lines(_ROOT) if line.startswith(_DECIDING)})])


def processor_name(root: Path = _ROOT) -> str:
    """Its name as Linux knows it; on Arm the board's and the cores'; else what Python knows. `root` holds /proc."""
    lines = _lines(root)
    told = ", ".join(part for part in (_board(root), _cores(lines)) if part)
    return told or next(iter(_values(lines, "model name")), "") or platform.processor() or platform.machine()


def _board(root: Path) -> str:
    """Such as "Raspberry Pi 4 Model B Rev 1.4"; empty where no device tree names one."""
    try:
        return (root / "proc/device-tree/model").read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _cores(lines: list[str]) -> str:
    """Such as "4 x Cortex-A55, 4 x Cortex-A76"; empty where they are told by the processor's name, as on x86."""
    kinds = zip(_values(lines, "CPU implementer"), _values(lines, "CPU part"), strict=False)
    counts = Counter(_CORES.get(kind, f"CPU {' '.join(kind)}") for kind in kinds)
    return ", ".join(f"{count} x {name}" for name, count in counts.items())


def _values(lines: list[str], name: str) -> list[str]:
    """Of all lines `name : value`."""
    return [line.split(":", 1)[1].strip() for line in lines if line.startswith(name) and ":" in line]


def _lines(root: Path) -> list[str]:
    try:
        return (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
