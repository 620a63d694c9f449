"""By how much sound is stamped late compared with pictures: from events seen and heard, or from both as they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, TypeAlias

from edgefuse.calibration.onsets import HeardOnsets, SeenOnsets, heard_onsets, seen_onsets
from edgefuse.calibration.sync_correlation import Correlogram, correlate
from edgefuse.calibration.sync_events import ADVICE, Lag, Pairs, fit, match
from edgefuse.calibration.witness import Heard, Seen
from edgefuse.runtime.corrections.measured import BY, Measured
from edgefuse.runtime.corrections.sync import Sync
from edgefuse.runtime.errors import CalibrationError

Method: TypeAlias = Literal["auto", "events", "correlation"]

MOST_MS = 500.0
_SOUND_M_PER_S = 343.0
_LARGEST_SD_S = 0.005
_FAINTEST_SD = 3.0


@dataclass(frozen=True, slots=True)
class SyncCalibration:
    """What was measured, `sync`, and what it rests on; `pairs` of events, or the `correlogram`."""

    sync: Sync
    seen: SeenOnsets
    heard: HeardOnsets
    lag: Lag
    pairs: Pairs | None = None
    correlogram: Correlogram | None = None

    def __str__(self) -> str:
        sync = self.sync
        side = "late" if sync.offset_ms >= 0 else "early"
        drift = "" if sync.drifts else ", too little to be told from none"
        return (
            f"sound is stamped {abs(sync.offset_ms):.1f} ± {sync.offset_sd_ms:.1f} ms {side}, "
            f"drift {sync.drift_ppm:.0f} ± {sync.drift_sd_ppm:.0f} ppm{drift}; {sync.measured.how}"
        )


def measure_sync(
    seen: Seen,
    heard: Heard,
    method: Method = "auto",
    most_ms: float = MOST_MS,
    distance_m: float = 0.0,
    at: str | None = None,
) -> SyncCalibration:
    """The offset, drift and uncertainty of what was heard against what was seen.

    "auto" matches events, and where there are none correlates. `most_ms` is the largest offset looked for;
    `distance_m` how far away the events were: sound takes 2.9 ms for a metre, which is not the clocks' fault. `at` is
    the date and time to be noted: now. Raises CalibrationError where the evidence is too thin.
    """
    sights = seen_onsets(seen)
    if method == "correlation":
        return _correlate(sights, heard, most_ms, distance_m, at)
    try:
        return _match(sights, heard, most_ms, distance_m, at)
    except CalibrationError as no_events:
        if method == "events":
            raise
        try:
            return _correlate(sights, heard, most_ms, distance_m, at)
        except CalibrationError as unclear:
            raise CalibrationError(f"{no_events}; nor without events: {unclear}") from unclear


def _match(sights: SeenOnsets, heard: Heard, most_ms: float, distance_m: float, at: str | None) -> SyncCalibration:
    sounds = heard_onsets(heard)
    pairs = match(sights, sounds, most_ms / 1e3)
    lag = fit(pairs)
    how = f"{len(pairs.heard_s)} events, of {len(sights.until_s)} seen and {len(sounds.times_s)} heard"
    span_s = float(pairs.heard_s.max() - pairs.heard_s.min())
    sync = _sync(lag, "events", len(pairs.heard_s), span_s, distance_m, how, at)
    return SyncCalibration(sync, sights, sounds, lag, pairs=pairs)


def _correlate(sights: SeenOnsets, heard: Heard, most_ms: float, distance_m: float, at: str | None) -> SyncCalibration:
    sounds = heard_onsets(heard, _FAINTEST_SD)
    lag, correlogram = correlate(sights, sounds, most_ms / 1e3)
    how = f"{len(sounds.times_s)} onsets heard, correlated with what began to be seen"
    span_s = float(sounds.times_s.max() - sounds.times_s.min())
    sync = _sync(lag, "correlation", 0, span_s, distance_m, how, at)
    return SyncCalibration(sync, sights, sounds, lag, correlogram=correlogram)


def _sync(
    lag: Lag,
    method: Literal["events", "correlation"],
    events: int,
    span_s: float,
    distance_m: float,
    how: str,
    at: str | None,
) -> Sync:
    if lag.offset_sd_s > _LARGEST_SD_S:
        raise CalibrationError(
            f"the offset is known to {lag.offset_sd_s * 1e3:.1f} ms only (standard deviation, "
            f"{_LARGEST_SD_S * 1e3:.0f} at most): {ADVICE}"
        )
    away = f", {distance_m:g} m away" if distance_m else ""
    moment = at or datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Sync(
        measured=Measured(at=moment, by=BY, how=how + away),
        method=method,
        offset_ms=round(lag.offset_s * 1e3 - distance_m / _SOUND_M_PER_S * 1e3, 3),
        offset_sd_ms=round(lag.offset_sd_s * 1e3, 3),
        at_s=round(lag.at_s, 3),
        drift_ppm=round(lag.drift * 1e6, 2),
        drift_sd_ppm=round(max(lag.drift_sd * 1e6, 0.01), 2),
        span_s=round(max(span_s, 0.001), 3),
        events=events,
    )
