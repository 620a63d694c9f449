"""The boards that a camera is calibrated with, and where their corners are in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import cv2
import numpy as np

from edgefuse.calibration.saddle_points import refine
from edgefuse.runtime.errors import CalibrationError

Kind: TypeAlias = Literal["chessboard", "charuco"]
_FEWEST_CORNERS = 8
_MOST_SQUARES = 100  # on a side
_WIDEST_M = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """The inner corners that were found: their places on the board [m] and in the picture [pixels].

    `board` is float32 (corners, 3) with z = 0, `image` float32 (corners, 2).
    """

    board: np.ndarray
    image: np.ndarray


@dataclass(frozen=True)
class Board:
    """A flat board of `columns` x `rows` squares, each `square_m` wide; with markers `marker_m` wide if it is ChArUco.

    `dictionary` names OpenCV's markers, such as "4X4_50". A ChArUco board may be seen in part, a chessboard only whole.
    Raises CalibrationError for a board that cannot be.
    """

    kind: Kind
    columns: int
    rows: int
    square_m: float
    marker_m: float = 0.0
    dictionary: str = "4X4_50"

    def __post_init__(self) -> None:
        if min(self.columns, self.rows) < 4:
            raise CalibrationError(f"a board of {self.columns} x {self.rows} squares is too small; 4 x 4 at least")
        if max(self.columns, self.rows) > _MOST_SQUARES:
            raise CalibrationError(f"a board of {self.columns} x {self.rows} squares is none; {_MOST_SQUARES} at most")
        if not 0 < self.square_m <= _WIDEST_M:
            raise CalibrationError(f"the board's squares are {self.square_m} m wide; measure one with a ruler")
        if self.kind == "charuco" and not 0 < self.marker_m < self.square_m:
            raise CalibrationError(f"markers of {self.marker_m} m do not fit squares of {self.square_m} m")
        if self.kind == "charuco" and not hasattr(cv2.aruco, "CharucoDetector"):
            raise CalibrationError(f"OpenCV {cv2.__version__} is too old to find boards with markers; 4.7 at least")
        if self.kind == "charuco" and not hasattr(cv2.aruco, f"DICT_{self.dictionary}"):
            raise CalibrationError(f"{self.dictionary} is no dictionary of markers; try 4X4_50 or 5X5_100")

    def __str__(self) -> str:
        markers = f", markers {self.marker_m * 1e3:g} mm of {self.dictionary}" if self.kind == "charuco" else ""
        return f"{self.kind} of {self.columns} x {self.rows} squares of {self.square_m * 1e3:g} mm{markers}"

    def find(self, gray: np.ndarray) -> Corners | None:
        """The corners in a picture, uint8 (height, width); None where the board is not seen, or too little of it."""
        corners = self._find_marked(gray) if self.kind == "charuco" else self._find_plain(gray)
        return None if corners is None else _enough(_refined(corners, gray))

    def picture(self, pixels_per_square: int) -> np.ndarray:
        """The board to be printed, uint8, without a margin."""
        width, height = self.columns * pixels_per_square, self.rows * pixels_per_square
        if self.kind == "charuco":
            return np.asarray(self._marked.generateImage((width, height)))
        squares = np.indices((self.rows, self.columns)).sum(axis=0) % 2
        return np.kron(squares * 255, np.ones((pixels_per_square, pixels_per_square))).astype(np.uint8)

    @cached_property
    def _marked(self) -> cv2.aruco.CharucoBoard:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{self.dictionary}"))
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, self.marker_m, dictionary)

    @cached_property
    def _detector(self) -> cv2.aruco.CharucoDetector:
        return cv2.aruco.CharucoDetector(self._marked)

    def _find_marked(self, gray: np.ndarray) -> Corners | None:
        image, identities, _, _ = self._detector.detectBoard(gray)
        if identities is None:
            return None
        board = np.asarray(self._marked.getChessboardCorners())[identities.ravel()]
        return Corners(board.astype(np.float32), image.reshape(-1, 2))

    def _find_plain(self, gray: np.ndarray) -> Corners | None:
        inner = (self.columns - 1, self.rows - 1)
        if not cv2.checkChessboard(gray, inner):
            return None
        found, image = cv2.findChessboardCornersSB(gray, inner, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not found:
            return None
        across, down = np.meshgrid(np.arange(1, inner[0] + 1), np.arange(1, inner[1] + 1))
        board = np.stack([across, down, 0 * across], axis=-1).reshape(-1, 3) * self.square_m
        return Corners(board.astype(np.float32), image.reshape(-1, 2))


def _enough(corners: Corners) -> Corners | None:
    """None for a few, or for those of one row or column, which say nothing of the board's place."""
    few = len(corners.board) < _FEWEST_CORNERS
    flat = few or np.linalg.matrix_rank(corners.board[:, :2] - corners.board[0, :2], tol=1e-6) < 2
    return None if flat else corners


def _refined(corners: Corners, gray: np.ndarray) -> Corners:
    """Only the corners that really are some, each to a tenth of a pixel."""
    image = refine(gray, corners.image)
    real = np.isfinite(image).all(axis=1)
    return Corners(corners.board[real], image[real])
