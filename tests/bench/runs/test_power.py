"""Energy from counters that wrap, and watts from what programs print."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgefuse.bench.runs.power import NONE, Meter, RaplMeter, open_meter, watts_from_nvidia_smi, watts_from_tegrastats

TEGRASTATS = """\
11-30-2026 18:00:00 RAM 2448/7620MB (lfb 2x4MB) SWAP 0/3810MB CPU [2%@729,0%@729] EMC_FREQ 0% GR3D_FREQ 0% cpu@45C \
VDD_IN {milliwatts}mW/4501mW VDD_CPU_GPU_CV 777mW/770mW VDD_SOC 1330mW/1330mW"""
WAIT_S = 30.0


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts programs where the system looks for them; at first there are none but a shell's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, says: str) -> None:
        """A program that says this and then goes on until it is ended, with its arguments in a file beside it."""
        text = f"""#!/bin/sh\necho "$@" > {folder}/{name}.arguments\nprintf '%s\\n' '{says}'\nexec /bin/sleep 60\n"""
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return write


def watts_of(meter: Meter) -> float:
    """What it counts from when it begins to count."""
    until = time.monotonic() + WAIT_S
    while not meter.joules():
        assert time.monotonic() < until, "it counts nothing"
        time.sleep(0.01)
    before, start = meter.joules(), time.monotonic()
    time.sleep(0.2)
    after, end = meter.joules(), time.monotonic()
    return (after - before) / (end - start)


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


@pytest.mark.parametrize(
    "line", ["", "\n", "tegrastats: command failed", "VDD_IN mW/4501mW", "VDD_CPU_GPU_CV 777mW/770mW", "XVDD_IN 5mW/"]
)
def test_a_line_without_the_boards_input_says_nothing(line):
    assert watts_from_tegrastats(line) is None


def test_a_counter_is_added_up_each_time_it_is_asked(tmp_path):
    zone(tmp_path, "intel-rapl:0", 0)
    meter = RaplMeter(tmp_path)
    for microjoules, joules in ((1_000_000, 1.0), (1_000_000, 1.0), (4_000_000, 4.0), (1_000_000, 11.000001)):
        zone(tmp_path, "intel-rapl:0", microjoules)
        assert meter.joules() == pytest.approx(joules, rel=0, abs=1e-9)


def test_a_counter_that_may_not_be_read_is_no_meter(tmp_path, programs):
    """As on Linux since 2020 for who is not root; here the file is missing, which root cannot read either."""
    (zone(tmp_path, "intel-rapl:0", 0) / "energy_uj").unlink()
    assert open_meter(tmp_path) is None


def test_without_any_meter_it_is_said_what_is_missing(tmp_path, programs):
    assert open_meter(tmp_path) is None
    for name in ("RAPL", "nvidia-smi", "tegrastats"):
        assert name in NONE


def test_a_cpu_alone_is_measured_by_its_own_counters(tmp_path, programs):
    zone(tmp_path, "intel-rapl:0", 0)
    meter = open_meter(tmp_path)
    assert isinstance(meter, RaplMeter)
    assert meter.name == "RAPL, the CPU packages"


def test_a_jetsons_board_is_measured_rather_than_its_parts(tmp_path, programs):
    zone(tmp_path, "intel-rapl:0", 0)
    programs("nvidia-smi", "1.0")
    programs("tegrastats", TEGRASTATS.format(milliwatts=4000))
    meter = open_meter(tmp_path)
    assert meter is not None
    try:
        assert meter.name == "tegrastats, the whole board"
        assert watts_of(meter) == pytest.approx(4.0, rel=0.01)
    finally:
        meter.close()
    assert (tmp_path / "bin" / "tegrastats.arguments").read_text() == "--interval 100\n"


def test_a_gpu_is_measured_by_its_driver_and_what_it_does_not_know_is_passed_over(tmp_path, programs):
    zone(tmp_path, "intel-rapl:0", 0)
    programs("nvidia-smi", "[N/A]\n71.5\n[Unknown Error]")
    meter = open_meter(tmp_path)
    assert meter is not None
    try:
        assert meter.name == "nvidia-smi, the GPU alone"
        assert watts_of(meter) == pytest.approx(71.5, rel=0.01)
    finally:
        meter.close()
    arguments = (tmp_path / "bin" / "nvidia-smi.arguments").read_text()
    assert "--query-gpu=power.draw" in arguments
    assert "nounits" in arguments


def test_a_closed_meter_has_ended_its_program(tmp_path, programs):
    programs("nvidia-smi", "50.0")
    meter = open_meter(tmp_path)
    assert meter is not None
    meter.close()
    assert meter._process.poll() is not None
    assert not meter._thread.is_alive()
