"""A camera's calibration as a picture: where the board was, how far its corners are off, what the lens does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgefuse.calibration.camera import CameraCalibration
from edgefuse.calibration.views import GRID, coverage
from edgefuse.runtime.errors import printable
from edgefuse.runtime.sinks.figures import plain_pyplot, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ARROW = 0.015  # of the picture's width, for most
_GOOD, _BAD = "#1f77b4", "#d62728"


def draw_camera(path: Path, calibration: CameraCalibration) -> None:
    """Draw into `path`, of a suffix that matplotlib knows."""
    with plain_pyplot() as pyplot:
        info = calibration.info
        figure, axes = pyplot.subplots(2, 2, figsize=(13, 9), width_ratios=(1.25, 1), layout="constrained")
        _draw_coverage(axes[0, 0], calibration)
        _draw_errors(axes[0, 1], calibration)
        _draw_residuals(axes[1, 0], calibration)
        _draw_distances(axes[1, 1], calibration)
        figure.suptitle(printable(_title(calibration)), x=0.01, ha="left", fontsize=11)
        for axis in axes[:, 0]:
            axis.set_xlim(0, info.image_width)
            axis.set_ylim(info.image_height, 0)
            axis.set_aspect("equal")
        write_figure(pyplot, figure, path)


def _title(calibration: CameraCalibration) -> str:
    info, fit = calibration.info, calibration.fit
    (fx, fy), (cx, cy), sd = np.diag(fit.matrix)[:2], fit.matrix[:2, 2], fit.sd_px
    return (
        f"{info.camera_name}, {info.image_width} x {info.image_height}, {fit.model}: error {fit.error_px:.2f} px;  "
        f"fx {fx:.1f} ± {sd[0]:.1f}, fy {fy:.1f} ± {sd[1]:.1f}, cx {cx:.1f} ± {sd[2]:.1f}, cy {cy:.1f} ± {sd[3]:.1f}"
    )


def _draw_coverage(axes: Axes, calibration: CameraCalibration) -> None:
    counts = coverage(calibration.used_views)
    width, height = calibration.info.size
    axes.imshow(counts, cmap="YlGn", extent=(0, width, height, 0), vmin=0, vmax=max(counts.max(), 1), aspect="auto")
    for (down, across), count in np.ndenumerate(counts):
        place = (across + 0.5) * width / GRID[0], (down + 0.5) * height / GRID[1]
        color = "white" if count > 0.6 * counts.max() else _BAD if count == 0 else "black"
        axes.text(*place, str(count), ha="center", va="center", fontsize=10, color=color)
    for view in calibration.used_views:
        outline = cv2.convexHull(view.corners.image)[:, 0]
        axes.fill(*outline.T, facecolor="none", edgecolor="black", linewidth=0.7, alpha=0.4)
    axes.set_title(f"in how many views the board was there ({np.mean(counts > 0):.0%} of the picture)", fontsize=10)


def _draw_errors(axes: Axes, calibration: CameraCalibration) -> None:
    errors = iter(calibration.fit.view_errors_px)
    heights = [float(next(errors)) if used else None for used in calibration.used]
    top = max(height for height in heights if height is not None)
    for index, height in enumerate(heights):
        color = _BAD if height is None else _GOOD
        axes.bar(index, 1.15 * top if height is None else height, color=color, alpha=0.35 if height is None else 1)
    axes.axhline(calibration.fit.error_px, color="black", linewidth=1, linestyle=":")
    rejected = calibration.used.count(False)
    axes.set_title(f"error of each view [px]; {rejected} rejected (red)", fontsize=10)
    axes.set_xticks(range(0, len(heights), max(1, len(heights) // 10)))
    axes.set_xlabel("view")


def _draw_residuals(axes: Axes, calibration: CameraCalibration) -> None:
    places = np.concatenate([view.corners.image for view in calibration.used_views])
    off = np.concatenate(calibration.fit.residuals_px)
    lengths = np.linalg.norm(off, axis=1)
    longer = max(1, round(_ARROW * calibration.info.image_width / max(float(np.median(lengths)), 1e-6)))
    arrows = axes.quiver(
        *places.T, *off.T, lengths, angles="xy", scale_units="xy", scale=1 / longer, cmap="plasma", width=0.0018,
        clim=(0, np.percentile(lengths, 98)),
    )  # fmt: skip
    axes.figure.colorbar(arrows, ax=axes, shrink=0.8, label="px")
    axes.set_title(f"how far each corner is off, drawn {longer} times as long: no pattern should be seen", fontsize=10)


def _draw_distances(axes: Axes, calibration: CameraCalibration) -> None:
    """A lens model that does not fit shows as an error that grows towards the rim."""
    center = calibration.fit.matrix[:2, 2]
    radii = np.linalg.norm(np.concatenate([view.corners.image for view in calibration.used_views]) - center, axis=1)
    off = np.linalg.norm(np.concatenate(calibration.fit.residuals_px), axis=1)
    axes.plot(radii, off, ".", color=_GOOD, markersize=2, alpha=0.4)
    edges = np.linspace(0, radii.max() + 1, 9)
    bins = np.digitize(radii, edges) - 1
    middles = [(edges[one] + edges[one + 1]) / 2 for one in range(8) if np.any(bins == one)]
    medians = [np.median(off[bins == one]) for one in range(8) if np.any(bins == one)]
    axes.plot(middles, medians, color="black", label="median")
    axes.set_ylim(0, float(np.percentile(off, 99.5)) * 1.2)
    axes.set_xlabel("distance from the middle of the picture [px]")
    axes.set_title("error by distance from the middle [px]", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
