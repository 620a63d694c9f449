"""Corners of a board to a tenth of a pixel: where two dark and two light squares meet, the picture is a saddle.

A quadratic is fitted to the smoothed picture about each corner; its stationary point is the corner (Lucchese and Mitra,
Using saddle points for subpixel feature detection in camera calibration targets, 2002). Markers inside the squares
disturb it less than they do cv2.cornerSubPix.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

_SMOOTHING_PX = 1.0
_LOOKED_AT = 0.2  # of the distance to the next corner
_LEAST_PX, _MOST_PX = 2, 5
_MOST_MOVED = 0.1  # of that distance, and half a pixel
_ITERATIONS = 6
_STILL_PX = 1e-3


def refine(gray: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Corners, float32 (corners, 2), set right; NaN where there is no saddle near. `gray` is uint8 (height, width)."""
    smooth = cv2.GaussianBlur(gray, (0, 0), _SMOOTHING_PX).astype(np.float32)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    distances = np.sort(apart, axis=1)[:, 1]
    refined = [_saddle(smooth, point, distance) for point, distance in zip(points, distances, strict=True)]
    return np.array(refined, np.float32)


def _saddle(smooth: np.ndarray, start: np.ndarray, distance: float) -> np.ndarray:
    radius = int(np.clip(_LOOKED_AT * distance, _LEAST_PX, _MOST_PX))
    here = start.astype(np.float64)
    for _ in range(_ITERATIONS):
        step = _step(smooth, here, radius)
        if step is None:
            break
        here = here + step
        if np.abs(step).max() < _STILL_PX:
            near = np.linalg.norm(here - start) < _MOST_MOVED * distance + 0.5
            return here if near else np.full(2, np.nan)
    return np.full(2, np.nan)


def _step(smooth: np.ndarray, here: np.ndarray, radius: int) -> np.ndarray | None:
    """To the stationary point of a x^2 + b xy + c y^2 + d x + e y + f; None where that is no saddle, or far."""
    solve, weights = _fit(radius)
    side = 2 * radius + 1
    patch = cv2.getRectSubPix(smooth, (side, side), (float(here[0]), float(here[1])))
    a, b, c, d, e, _ = solve @ (patch.ravel() * weights)
    determinant = 4 * a * c - b * b
    if determinant > -1e-9:
        return None
    step = np.array([b * e - 2 * c * d, b * d - 2 * a * e]) / determinant
    return step if np.abs(step).max() <= radius else None


@cache
def _fit(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """What solves for the coefficients, (6, pixels), and the pixels' weights, which fall towards the rim."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1).astype(np.float64)
    weights = np.sqrt(np.maximum(0, 1 - (x**2 + y**2) / (radius + 0.5) ** 2))
    terms = np.column_stack([x**2, x * y, y**2, x, y, np.ones_like(x)])
    return np.linalg.pinv(terms * weights[:, None]), weights
