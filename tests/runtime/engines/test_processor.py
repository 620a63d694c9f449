"""A report names the processor, and on Arm the board, as people call them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefuse.runtime.engines.processor import processor_name

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Platinum 8488C\n"
PI = "Raspberry Pi 4 Model B Rev 1.4\0"
ORIN = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0"


def arm(*parts: str, implementer: str = "0x41") -> str:
    """/proc/cpuinfo of an Arm board, a core for each of `parts`."""
    core = "processor\t: {}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\nCPU implementer\t: {}\nCPU part\t: {}\n\n"
    return "".join(core.format(number, implementer, part) for number, part in enumerate(parts))


@pytest.mark.parametrize(
    ("cpuinfo", "model", "name"),
    [
        (X86 * 2, None, "Intel(R) Xeon(R) Platinum 8488C"),
        (arm(*["0xd08"] * 4) + f"Revision\t: c03114\nModel\t\t: {PI[:-1]}\n", PI, f"{PI[:-1]}, 4 x Cortex-A72"),
        (arm(*["0xd42"] * 6), ORIN, f"{ORIN[:-1]}, 6 x Cortex-A78AE"),
        (arm(*["0xd05"] * 4, *["0xd0b"] * 4), "Radxa ROCK 5B\0", "Radxa ROCK 5B, 4 x Cortex-A55, 4 x Cortex-A76"),
        (arm("0x004", "0x004", implementer="0x4e"), "Jetson-AGX\0", "Jetson-AGX, 2 x Carmel"),
        (arm("0xd0c", "0xd0c"), None, "2 x Neoverse-N1"),
        (arm("0xfff"), "A new board\0", "A new board, 1 x CPU 0x41 0xfff"),
        ("processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\nHardware\t: BCM2835\n" + arm("0xd03"), PI,
         f"{PI[:-1]}, 1 x Cortex-A53"),
    ],
)  # fmt: skip
def test_the_name(cpuinfo: str, model: str | None, name: str, tmp_path: Path):
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    (tmp_path / "proc" / "cpuinfo").write_text(cpuinfo)
    if model is not None:
        (tmp_path / "proc" / "device-tree" / "model").write_text(model)
    assert processor_name(tmp_path) == name


def test_where_linux_says_nothing_there_is_still_a_name(tmp_path):
    assert processor_name(tmp_path)
