"""A sync calibration as a picture: what was seen and heard over time, and how the two were matched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgefuse.calibration.onsets import HeardOnsets, SeenOnsets
from edgefuse.calibration.sync import SyncCalibration
from edgefuse.calibration.sync_correlation import Correlogram
from edgefuse.calibration.sync_events import Lag, Pairs
from edgefuse.runtime.sinks.figures import plain_pyplot, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEEN, _HEARD, _MATCH = "#1f77b4", "#ff7f0e", "#2ca02c"
_SHOWN_S = 12.0


def draw_sync(path: Path, calibration: SyncCalibration) -> None:
    """Draw into `path`, of a suffix that matplotlib knows."""
    with plain_pyplot() as pyplot:
        figure, axes = pyplot.subplots(3, 1, figsize=(14, 9), height_ratios=(1, 1, 1.2), layout="constrained")
        axes[1].sharex(axes[0])
        middle = calibration.lag.at_s
        axes[0].set_xlim(max(0, middle - _SHOWN_S / 2), middle + _SHOWN_S / 2)
        _draw_seen(axes[0], calibration.seen)
        _draw_heard(axes[1], calibration.heard)
        if calibration.pairs is not None:
            _mark(axes, calibration.pairs)
            _draw_lags(axes[2], calibration.pairs, calibration.lag)
        if calibration.correlogram is not None:
            _draw_correlogram(axes[2], calibration.correlogram, calibration.lag)
        figure.suptitle(str(calibration), x=0.01, ha="left", fontsize=11)
        write_figure(pyplot, figure, path)


def _draw_seen(axes: Axes, seen: SeenOnsets) -> None:
    axes.step(seen.times_s, np.maximum(seen.strength, 0), color=_SEEN, linewidth=1)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(0)
    axes.set_title("seen: how much brighter some of the picture became with each frame [sd of the noise]", fontsize=10)


def _draw_heard(axes: Axes, heard: HeardOnsets) -> None:
    axes.plot(heard.curve_s, np.maximum(heard.curve, 0), color=_HEARD, linewidth=0.8)
    axes.set_ylim(0)
    axes.set_title("heard: how much louder some pitches became [sd of the noise]; 12 s are shown", fontsize=10)
    axes.set_xlabel("stamp [s after the first sample]")


def _mark(axes: np.ndarray, pairs: Pairs) -> None:
    """Each pair has one number in both panels."""
    for number, (until_s, heard_s) in enumerate(zip(pairs.until_s, pairs.heard_s, strict=True), start=1):
        for panel, moment in ((axes[0], until_s), (axes[1], heard_s)):
            panel.axvline(moment, color=_MATCH, linewidth=0.8, linestyle=":")
            panel.text(
                moment, 0.9, f" {number}", color=_MATCH, fontsize=8, transform=panel.get_xaxis_transform(), clip_on=True
            )


def _draw_lags(axes: Axes, pairs: Pairs, lag: Lag) -> None:
    low, high = (pairs.heard_s - pairs.until_s) * 1e3, (pairs.heard_s - pairs.after_s) * 1e3
    axes.vlines(pairs.heard_s, low, high, color=_MATCH, linewidth=2, label="an event: what its frame allows")
    times = np.linspace(pairs.heard_s.min(), pairs.heard_s.max(), 100)
    since = times - lag.at_s
    line = (lag.offset_s + lag.drift * since) * 1e3
    spread = 2e3 * np.sqrt(lag.offset_sd_s**2 + (lag.drift_sd * since) ** 2)
    axes.fill_between(times, line - spread, line + spread, color="black", alpha=0.2, linewidth=0, label="± 2 sd")
    axes.plot(times, line, color="black", label="offset and drift")
    axes.set_title(
        "by how much each event was heard after it was seen [ms]: the line must pass through nearly all", fontsize=10
    )
    axes.set_xlabel("stamp [s after the first sample]")
    axes.legend(loc="upper left", ncols=3, fontsize=9)


def _draw_correlogram(axes: Axes, correlogram: Correlogram, lag: Lag) -> None:
    axes.plot(correlogram.offsets_s * 1e3, correlogram.values, color="black", linewidth=0.8)
    axes.axvspan(*((lag.offset_s + side * 2 * lag.offset_sd_s) * 1e3 for side in (-1, 1)), color=_MATCH, alpha=0.4)
    axes.set_title("how well sound and picture go together, by offset [ms]: one peak must stand out", fontsize=10)
    axes.set_xlabel("sound later than the picture by [ms]")
    axes.set_ylabel("sd off the peak")
