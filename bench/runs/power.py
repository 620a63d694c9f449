"""Power, where the machine measures it: RAPL counters, NVIDIA's driver, a Jetson's tegrastats."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

_POWERCAP = Path("/sys/class/powercap")
_EVERY_MS = 100
_NVIDIA = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", f"--loop-ms={_EVERY_MS}")
_TEGRA = ("tegrastats", "--interval", str(_EVERY_MS))
_TEGRA_INPUT = re.compile(r"\b(?:VDD_IN|POM_5V_IN|SYS5V|VIN_SYS_5V0) (\d+)(?:mW)?/")
NONE = "No power figures: no RAPL counters that can be read, no nvidia-smi, no tegrastats"


class Meter(Protocol):
    """Counts energy; `name` says of what."""

    name: str

    def joules(self) -> float:
        """Since some moment."""
        ...

    def close(self) -> None: ...


def open_meter(powercap: Path = _POWERCAP) -> Meter | None:
    """The first that works here; of a GPU's own meter the CPU's share is not in it."""
    if shutil.which(_TEGRA[0]):
        return SampledMeter("tegrastats, the whole board", _TEGRA, watts_from_tegrastats)
    if shutil.which(_NVIDIA[0]):
        return SampledMeter("nvidia-smi, the GPU alone", _NVIDIA, watts_from_nvidia_smi)
    try:
        return RaplMeter(powercap)
    except OSError:
        return None


class RaplMeter:
    """The CPU packages' own counters, which wrap around; raises OSError where none can be read."""

    name = "RAPL, the CPU packages"

    def __init__(self, powercap: Path = _POWERCAP) -> None:
        zones = [zone for zone in sorted(powercap.glob("*rapl:*")) if zone.name.count(":") == 1]
        if not zones:
            raise FileNotFoundError(f"no RAPL zones in {powercap}")
        self._zones = {zone: int((zone / "max_energy_range_uj").read_text()) for zone in zones}
        self._last = {zone: self._read(zone) for zone in zones}
        self._joules = 0.0

    def joules(self) -> float:
        """See Meter; has to be asked before a counter wraps twice, that is every few minutes."""
        for zone, last in self._last.items():
            now = self._read(zone)
            self._joules += ((now - last) % (self._zones[zone] + 1)) / 1e6
            self._last[zone] = now
        return self._joules

    def close(self) -> None:
        """See Meter."""

    def _read(self, zone: Path) -> int:
        return int((zone / "energy_uj").read_text())


class SampledMeter:
    """Adds up the watts that a program prints line by line."""

    def __init__(self, name: str, command: tuple[str, ...], watts_from: Callable[[str], float | None]) -> None:
        self.name = name
        self._watts_from = watts_from
        self._joules = self._watts = 0.0
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def joules(self) -> float:
        """See Meter."""
        with self._lock:
            now = time.monotonic()
            self._joules += self._watts * (now - self._since)
            self._since = now
            return self._joules

    def close(self) -> None:
        """See Meter."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            watts = self._watts_from(line)
            if watts is not None:
                self.joules()
                self._watts = watts


def watts_from_tegrastats(line: str) -> float | None:
    """The board's input, of a line such as `... VDD_IN 4567mW/4501mW ...`."""
    found = _TEGRA_INPUT.search(line)
    return int(found[1]) / 1e3 if found else None


def watts_from_nvidia_smi(line: str) -> float | None:
    """Of a line that is a number; `[N/A]` says nothing."""
    try:
        return float(line)
    except ValueError:
        return None
