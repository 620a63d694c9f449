"""What a person sees while a camera is calibrated: the picture with the board's corners, and where it is still missing.

Needs rerun-sdk (extra `viz`); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from edgefuse.calibration.views import View, ViewCollector, coverage, emptiest
from edgefuse.runtime.samples import Frame
from edgefuse.runtime.sinks.viewer_window import has_display, show_in

DEFAULT_FILE = Path("calibration.rrd")
_ENOUGH = 4  # views of a cell, shown in full green
_SHADE = 0.35


class BoardViewer:
    """Shows each frame in Rerun's window, or where there is no display writes calibration.rrd."""

    def __init__(self) -> None:
        layout = rrb.Blueprint(
            rrb.Vertical(
                rrb.Spatial2DView(origin="/camera", name="camera: green where the board has been"),
                rrb.TextDocumentView(origin="/next", name="what to do next"),
                row_shares=[5, 1],
            ),
            collapse_panels=True,
        )
        self._stream = rr.RecordingStream("edgefuse calibrate camera")
        self.path = None if has_display() else DEFAULT_FILE
        show_in(self._stream, layout, self.path)

    def show(self, frame: Frame, view: View | None, collector: ViewCollector) -> None:
        """One frame, and the view that was found in it."""
        self._stream.set_time("frame", duration=frame.stamp_ns * 1e-9)
        picture = frame.image if frame.encoding == "rgb8" else cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)
        self._stream.log("camera", rr.Image(_shaded(picture, collector.views)).compress(jpeg_quality=80))
        corners = view.corners.image if view is not None else np.empty((0, 2))
        self._stream.log("camera/corners", rr.Points2D(corners, radii=4.0, colors=[255, 60, 60]))
        self._stream.log("next", rr.TextDocument(f"{len(collector.sharp())} views; next: {emptiest(collector.views)}"))

    def close(self) -> None:
        """The window stays open, a file is complete."""
        self._stream.flush()
        self._stream.disconnect()


def _shaded(picture: np.ndarray, views: list[View]) -> np.ndarray:
    """The picture, green where views have been."""
    height, width = picture.shape[:2]
    seen = np.minimum(coverage(views) / _ENOUGH, 1.0).astype(np.float32)
    shade = cv2.resize(seen, (width, height), interpolation=cv2.INTER_NEAREST)[..., None] * _SHADE
    return np.asarray(picture * (1 - shade) + np.array([0, 200, 0]) * shade, np.uint8)
