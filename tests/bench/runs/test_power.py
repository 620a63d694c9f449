"""Energy from counters that wrap, and watts from what programs print."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefuse.bench.runs.power import RaplMeter, watts_from_nvidia_smi, watts_from_tegrastats


def zone(powercap: Path, name: str, microjoules: int) -> Path:
    """One RAPL zone as Linux shows it."""
    directory = powercap / name
    directory.mkdir(exist_ok=True)
    (directory / "max_energy_range_uj").write_text("10000000\n")
    (directory / "energy_uj").write_text(f"{microjoules}\n")
    return directory


def test_packages_add_up_and_their_parts_do_not_count_twice(tmp_path):
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        zone(tmp_path, name, 0)
    meter = RaplMeter(tmp_path)
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        zone(tmp_path, name, 2_000_000)
    assert meter.joules() == pytest.approx(4.0)


def test_a_counter_may_wrap(tmp_path):
    zone(tmp_path, "intel-rapl:0", 9_000_000)
    meter = RaplMeter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 500_000)
    assert meter.joules() == pytest.approx(1.5, abs=1e-4)


def test_a_machine_without_counters_is_said(tmp_path):
    with pytest.raises(OSError, match="no RAPL zones"):
        RaplMeter(tmp_path)


@pytest.mark.parametrize(
    ("line", "watts"),
    [
        ("RAM 2448/7620MB CPU [2%@729] VDD_IN 4567mW/4501mW VDD_CPU_GPU_CV 777mW/770mW", 4.567),
        ("RAM 1903/3964MB GR3D_FREQ 0% POM_5V_IN 2034/2010 POM_5V_GPU 0/0", 2.034),
        ("RAM 1903/3964MB GR3D_FREQ 0%", None),
    ],
)
def test_the_board_of_a_jetson(line, watts):
    assert watts_from_tegrastats(line) == watts


def test_the_gpu_of_nvidia_smi():
    assert watts_from_nvidia_smi("71.35\n") == 71.35
    assert watts_from_nvidia_smi("[N/A]\n") is None
