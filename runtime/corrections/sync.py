"""By how much sound is stamped late compared with pictures, as it was measured, in the file sync.json."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from edgefuse.runtime.arguments import check_kind, path_of
from edgefuse.runtime.corrections.measured import Measured, Measurement, read_measured, write_text
from edgefuse.runtime.samples import NS_PER_S

SCHEMA_VERSION: Final = 1
_SIGNIFICANT_SD = 3.0
_REACH_US = 10_000.0
_REMEDY = "measure again with `edgefuse calibrate sync`"


class Sync(Measurement):
    """Sound is stamped late by `offset_ms`, early where that is negative, compared with pictures.

    That is at `at_s` seconds after the first sample; from there it grows by `drift_ppm` millionths of the time.
    Uncertainties are standard deviations.
    """

    kind: Literal["sync"] = "sync"
    schema_version: Literal[1] = SCHEMA_VERSION
    measured: Measured
    late: Literal["audio"] = "audio"
    reference: Literal["image"] = "image"
    method: Literal["events", "correlation"]
    offset_ms: float = Field(ge=-60_000.0, le=60_000.0)
    offset_sd_ms: float = Field(ge=0, le=60_000.0)
    at_s: float = Field(ge=0, le=1e9)
    drift_ppm: float = Field(ge=-100_000.0, le=100_000.0)
    drift_sd_ppm: float = Field(ge=1e-6, le=1e6)
    span_s: float = Field(gt=0, le=1e9, description="from the first evidence to the last")
    events: int = Field(ge=0, description="seen and heard; 0 where it was correlated without events")

    @property
    def drifts(self) -> bool:
        """Whether the drift is more than its own uncertainty explains; a smaller one is not applied."""
        return abs(self.drift_ppm) > _SIGNIFICANT_SD * self.drift_sd_ppm

    def late_ns(self, elapsed_ns: int) -> int:
        """By how much a stamp is late that long after the first sample.

        The drift is followed as far as its uncertainty adds 10 ms, or as far as it was measured; then it stands still.
        """
        reach_s = max(self.span_s / 2, _REACH_US / self.drift_sd_ppm) if self.drifts else 0.0
        since_s = min(max(elapsed_ns / NS_PER_S - self.at_s, -reach_s), reach_s)
        return round(self.offset_ms * 1e6 + self.drift_ppm * 1e3 * since_s)


def read_sync(path: str | Path) -> Sync:
    """Raises CalibrationError in one line for a file that is missing, damaged or of another kind or schema."""
    return read_measured(Sync, path_of("a sync", path), _REMEDY)


def write_sync(path: Path, sync: Sync) -> None:
    """Write what `read_sync` reads; raises CalibrationError."""
    check_kind("sync", sync, Sync)
    write_text(path, sync.model_dump_json(indent=2) + "\n")
