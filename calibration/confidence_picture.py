"""A confidence calibration as a picture: a reliability diagram per subset of senses, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgefuse.calibration.confidence import BINS, ConfidenceCalibration, Judgement, bins_of
from edgefuse.runtime.sinks.figures import plain_pyplot, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BEFORE, _AFTER = "#d62728", "#2ca02c"
_COLUMNS = 4
_FEWEST_IN_BIN = 5


def draw_confidence(path: Path, calibration: ConfidenceCalibration) -> None:
    """Draw into `path`, of a suffix that matplotlib knows."""
    with plain_pyplot() as pyplot:
        judgements = calibration.judgements
        columns = min(_COLUMNS, len(judgements))
        rows = -(-len(judgements) // columns)
        figure, axes = pyplot.subplots(
            rows, columns, figsize=(3.6 * columns, 3.9 * rows), squeeze=False, sharey=True, layout="constrained"
        )
        for panel, judgement in zip(axes.flat, judgements, strict=False):
            _draw(panel, judgement)
        for panel in axes.flat[len(judgements) :]:
            panel.axis("off")
        axes[0, 0].set_ylabel("share that is right")
        title = (
            f"{calibration.confidence.bundle}: how often percepts are right, by how sure they are; dots are larger with"
        )
        figure.suptitle(f"{title} more percepts; grey: not certain", x=0.01, ha="left", fontsize=11)
        write_figure(pyplot, figure, path)


def _draw(axes: Axes, judgement: Judgement) -> None:
    subset = judgement.subset
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    _draw_curve(axes, judgement.before, judgement.right, _BEFORE, f"before, ECE {subset.ece_before:.3f}")
    _draw_curve(axes, judgement.after, judgement.right, _AFTER, f"after, ECE {subset.ece_after:.3f}")
    axes.axvspan(0, 1 if subset.threshold is None else subset.threshold, color="black", alpha=0.08, linewidth=0)
    reached = "never certain" if subset.precision is None else f"{subset.precision:.0%} of {subset.coverage:.0%} right"
    axes.set_title(f"{' + '.join(subset.senses)}, T {subset.temperature:.2f}\n{reached}", fontsize=10)
    axes.set_xlabel("confidence")
    axes.legend(fontsize=8, loc="upper left")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _draw_curve(axes: Axes, confidence: np.ndarray, right: np.ndarray, color: str, label: str) -> None:
    bins = bins_of(confidence)
    counts = np.bincount(bins, minlength=BINS)
    shown = np.flatnonzero(counts >= _FEWEST_IN_BIN)
    sure = [confidence[bins == one].mean() for one in shown]
    hits = [right[bins == one].mean() for one in shown]
    axes.plot(sure, hits, color=color, linewidth=1, label=label)
    axes.scatter(sure, hits, s=4 + 160 * counts[shown] / counts.sum(), color=color, alpha=0.6, linewidth=0)
