"""A camera's intrinsics and distortion from views of a board: bad views rejected, the model chosen, doubts refused.

The errors and the uncertainty are those of the views that were used; the result is what ROS calls camera_info.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, TypeAlias

import cv2
import numpy as np

from edgefuse.calibration.boards import Board
from edgefuse.calibration.lens_fit import LensFit, fit_lens
from edgefuse.calibration.views import View, share_covered
from edgefuse.runtime.corrections.camera_info import CameraInfo, CameraMeasured, DistortionModel, Matrix
from edgefuse.runtime.corrections.measured import BY
from edgefuse.runtime.errors import CalibrationError

LensModel: TypeAlias = DistortionModel | Literal["auto"]

FEWEST_VIEWS = 8
_MODELS: tuple[DistortionModel, ...] = ("plumb_bob", "equidistant", "rational_polynomial")  # the simplest first
_NOT_WORSE = 1.03
_BAD_VIEW = 3.0  # times the median of the views' errors
_ALWAYS_GOOD_PX = 0.1
_FOCAL_SD = 0.005
_LARGEST_ERROR = 0.002  # of the picture's width
_MOVE = "move the board into the corners, tilt it left, right, up and down, and bring it near and far"


@dataclass(frozen=True, slots=True)
class CameraCalibration:
    """What was measured: `info` to be written, and for each of `views` its error [pixels] and whether it was used."""

    info: CameraInfo
    views: tuple[View, ...]
    used: tuple[bool, ...]
    fit: LensFit

    @property
    def used_views(self) -> list[View]:
        """Those that the result rests on, in the order of `fit.residuals_px`."""
        return [view for view, used in zip(self.views, self.used, strict=True) if used]

    @property
    def coverage(self) -> float:
        """The share of the picture that these views cover, 0..1."""
        return share_covered(self.used_views)

    def __str__(self) -> str:
        fit, views = self.fit, len(self.used_views)
        return (
            f"{fit.model}, focal length {fit.matrix[0, 0]:.1f} x {fit.matrix[1, 1]:.1f} px, known to "
            f"{fit.sd_px[:2].max():.2f}; error {fit.error_px:.2f} px, worst view {fit.view_errors_px.max():.2f}; "
            f"{views} views, {len(self.views) - views} rejected, {self.coverage:.0%} of the picture covered"
        )


def calibrate_camera(
    views: Sequence[View],
    board: Board,
    camera_name: str = "camera",
    model: LensModel = "auto",
    at: str | None = None,
) -> CameraCalibration:
    """Measure a camera from sharp, different views of a board, as a ViewCollector keeps them.

    `model` "auto" takes the simplest one that is not worse than the best. `at` is the date and time to be noted: now.
    Raises CalibrationError where the views are too few, too much alike, of several sizes, or fit no lens.
    """
    _check(views)
    fits = {one: fitted for one in (_MODELS if model == "auto" else (model,)) if (fitted := _fit_robustly(views, one))}
    if not fits:
        raise CalibrationError(f"no lens fits the {len(views)} views; {_MOVE}, and check the board's size")
    fit, used = fits[_simplest_good(fits)]
    _check_sure(fit, used, views[0].size)
    return CameraCalibration(_info(fit, views, used, board, camera_name, at), tuple(views), used, fit)


def _check(views: Sequence[View]) -> None:
    if len(views) < FEWEST_VIEWS:
        raise CalibrationError(f"{len(views)} sharp views of the board that differ, {FEWEST_VIEWS} at least; {_MOVE}")
    sizes = {view.size for view in views}
    if len(sizes) > 1:
        listed = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        raise CalibrationError(f"the pictures are of several sizes ({listed}); a calibration is of one")


def _fit_robustly(views: Sequence[View], model: DistortionModel) -> tuple[LensFit, tuple[bool, ...]] | None:
    """The fit without the views that are far worse than most, the worst taken away first."""
    used = list(range(len(views)))
    while len(used) >= FEWEST_VIEWS:
        fit = fit_lens([views[index] for index in used], model)
        if fit is None:
            return None
        errors = fit.view_errors_px
        worst = int(np.argmax(errors))
        if errors[worst] <= max(_ALWAYS_GOOD_PX, _BAD_VIEW * float(np.median(errors))):
            return fit, tuple(index in used for index in range(len(views)))
        del used[worst]
    return None


def _simplest_good(fits: dict[DistortionModel, tuple[LensFit, tuple[bool, ...]]]) -> DistortionModel:
    """The first model whose error is nearly the least; what a model rejects counts as bad, so that it is no way out."""
    bad_px = _BAD_VIEW * min(float(np.median(fit.view_errors_px)) for fit, _ in fits.values())
    scores = {}
    for model, (fit, used) in fits.items():
        errors = np.append(np.minimum(fit.view_errors_px, bad_px), np.full(used.count(False), bad_px))
        scores[model] = float(np.sqrt(np.mean(errors**2)))
    return next(model for model in fits if scores[model] <= _NOT_WORSE * min(scores.values()))


def _check_sure(fit: LensFit, used: tuple[bool, ...], size: tuple[int, int]) -> None:
    if fit.error_px > _LARGEST_ERROR * size[0]:
        raise CalibrationError(
            f"the corners are {fit.error_px:.1f} pixels from where {fit.model} has them: is the board flat, "
            "are its numbers right, and the lens model?"
        )
    doubt = float(np.max(fit.sd_px[:2] / np.diag(fit.matrix)[:2]))
    if doubt > _FOCAL_SD:
        raise CalibrationError(
            f"the focal length is known to {doubt:.1%} only (standard deviation, {_FOCAL_SD:.1%} at most): "
            f"the {used.count(True)} views are too much alike; {_MOVE}"
        )


def _info(
    fit: LensFit, views: Sequence[View], used: tuple[bool, ...], board: Board, name: str, at: str | None
) -> CameraInfo:
    kept = [view for view, good in zip(views, used, strict=True) if good]
    measured = CameraMeasured(
        at=at or datetime.now(timezone.utc).isoformat(timespec="seconds"),
        by=BY,
        how=str(board),
        views=len(kept),
        rejected=len(views) - len(kept),
        error_px=round(fit.error_px, 4),
        worst_view_px=round(float(fit.view_errors_px.max()), 4),
        coverage=round(share_covered(kept), 3),
        focal_sd_px=(round(float(fit.sd_px[0]), 3), round(float(fit.sd_px[1]), 3)),
        center_sd_px=(round(float(fit.sd_px[2]), 3), round(float(fit.sd_px[3]), 3)),
    )
    width, height = views[0].size
    return CameraInfo(
        image_width=width,
        image_height=height,
        camera_name=name,
        camera_matrix=Matrix.of(fit.matrix),
        distortion_model=fit.model,
        distortion_coefficients=Matrix.of(fit.distortion[None]),
        rectification_matrix=Matrix.of(np.eye(3)),
        projection_matrix=Matrix.of(_projection(fit, (width, height))),
        edgefuse=measured,
    )


def _projection(fit: LensFit, size: tuple[int, int]) -> np.ndarray:
    """P (3, 4) of the straightened picture: as wide as can be with square pixels and without empty rims."""
    if fit.model == "equidistant":
        matrix = cv2.fisheye.estimateNewCameraMatrixForUndistortRectify(
            fit.matrix, fit.distortion, size, np.eye(3), balance=0.0
        )
    else:
        matrix, _ = cv2.getOptimalNewCameraMatrix(fit.matrix, fit.distortion, size, 0.0)
    focal = float(np.diag(matrix)[:2].max())
    return np.array([[focal, 0, matrix[0, 2], 0], [0, focal, matrix[1, 2], 0], [0, 0, 1, 0]])
