"""One lens model fitted to views of a board: intrinsics, distortion, errors, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgefuse.calibration.views import View
from edgefuse.runtime.corrections.camera_info import DistortionModel

_FLAGS: dict[DistortionModel, int] = {"plumb_bob": 0, "rational_polynomial": cv2.CALIB_RATIONAL_MODEL}
_CRITERIA = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-9)
# OpenCV 5 has these once for all lenses, OpenCV 4 a second time for fisheyes.
_FISHEYE_FLAGS = sum(
    getattr(cv2.fisheye, name, None) or getattr(cv2, name) for name in ("CALIB_RECOMPUTE_EXTRINSIC", "CALIB_FIX_SKEW")
)
_COEFFICIENTS: dict[DistortionModel, int] = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}


@dataclass(frozen=True, slots=True)
class LensFit:
    """What one model makes of the views.

    `matrix` is K, `distortion` (coefficients,); `residuals_px` per view (corners, 2), found minus projected; `sd_px`
    the standard deviations of fx, fy, cx, cy.
    """

    model: DistortionModel
    matrix: np.ndarray
    distortion: np.ndarray
    residuals_px: tuple[np.ndarray, ...]
    sd_px: np.ndarray

    @property
    def error_px(self) -> float:
        """Root mean square of the distance between where corners are and where they should be, over all views."""
        return float(np.sqrt(np.mean(np.sum(np.concatenate(self.residuals_px) ** 2, axis=1))))

    @property
    def view_errors_px(self) -> np.ndarray:
        """The same of each view."""
        return np.array([np.sqrt(np.mean(np.sum(one**2, axis=1))) for one in self.residuals_px])


def fit_lens(views: Sequence[View], model: DistortionModel) -> LensFit | None:
    """None where the model cannot be fitted to these views."""
    boards = [view.corners.board.reshape(1, -1, 3).astype(np.float64) for view in views]
    images = [view.corners.image.reshape(1, -1, 2).astype(np.float64) for view in views]
    fit = _fit_fisheye if model == "equidistant" else _fit_pinhole
    try:
        found = fit(boards, images, views[0].size, model)
    except cv2.error:
        return None
    sound = found is not None and all(np.isfinite(part).all() for part in (found.matrix, found.sd_px))
    return found if sound else None


def _fit_pinhole(
    boards: list[np.ndarray], images: list[np.ndarray], size: tuple[int, int], model: DistortionModel
) -> LensFit:
    """plumb_bob, and from its result rational_polynomial."""
    flags, guess = _FLAGS[model], (np.eye(3), np.zeros(_COEFFICIENTS[model]))
    if model == "rational_polynomial":
        plain = _fit_pinhole(boards, images, size, "plumb_bob")
        guess = plain.matrix, np.append(plain.distortion, np.zeros(3))
        flags |= cv2.CALIB_USE_INTRINSIC_GUESS
    floats = [board.astype(np.float32) for board in boards], [image.astype(np.float32) for image in images]
    _, matrix, distortion, turns, places, sd, _, _ = cv2.calibrateCameraExtended(
        *floats, size, *guess, flags=flags, criteria=_CRITERIA
    )
    distortion = distortion.ravel()[: _COEFFICIENTS[model]]
    residuals = tuple(
        image.reshape(-1, 2) - cv2.projectPoints(board, turn, place, matrix, distortion)[0].reshape(-1, 2)
        for board, image, turn, place in zip(boards, images, turns, places, strict=True)
    )
    return LensFit(model, matrix, distortion, residuals, sd.ravel()[:4])


def _fit_fisheye(
    boards: list[np.ndarray], images: list[np.ndarray], size: tuple[int, int], model: DistortionModel
) -> LensFit:
    _, matrix, distortion, turns, places = cv2.fisheye.calibrate(
        boards, images, size, np.eye(3), np.zeros((4, 1)), flags=_FISHEYE_FLAGS, criteria=_CRITERIA
    )
    residuals, slopes = [], []
    for board, image, turn, place in zip(boards, images, turns, places, strict=True):
        projected, slope = cv2.fisheye.projectPoints(board, turn, place, matrix, distortion)
        residuals.append(image.reshape(-1, 2) - projected.reshape(-1, 2))
        slopes.append(slope)
    return LensFit(model, matrix, distortion.ravel(), tuple(residuals), _intrinsic_sd(slopes, residuals))


def _intrinsic_sd(slopes: list[np.ndarray], residuals: list[np.ndarray]) -> np.ndarray:
    """Standard deviations of fx, fy, cx, cy, with every view's pose free: the Schur complement of the normal equations.

    A slope is (2 corners, 15): by fx, fy, cx, cy, four coefficients, six of the pose, and the skew, which is fixed.
    """
    information = np.zeros((8, 8))
    for slope in slopes:
        lens, pose = slope[:, :8], slope[:, 8:14]
        mixed = lens.T @ pose
        information += lens.T @ lens - mixed @ np.linalg.solve(pose.T @ pose, mixed.T)
    squares = sum(float(np.sum(one**2)) for one in residuals)
    free = sum(one.size for one in residuals) - 8 - 6 * len(slopes)
    return np.sqrt(np.diag(np.linalg.inv(information))[:4] * squares / free)
