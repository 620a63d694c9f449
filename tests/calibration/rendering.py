"""Pictures of a board as a known camera takes them: every pixel's ray is traced back through the lens to the board."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgefuse.calibration.boards import Board

_PER_SQUARE = 80
_FINER = 2  # rays per pixel and axis


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera whose truth is known; `distortion` as the model of ROS has it."""

    name: str
    model: str
    size: tuple[int, int]
    focal: tuple[float, float]
    center: tuple[float, float]
    distortion: tuple[float, ...]

    @property
    def matrix(self) -> np.ndarray:
        """K."""
        return np.array([[self.focal[0], 0, self.center[0]], [0, self.focal[1], self.center[1]], [0, 0, 1]])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, 2) of points (n, 3) before the camera."""
        zero = np.zeros(3)
        points = np.asarray(points, np.float64).reshape(-1, 1, 3)
        coefficients = np.array(self.distortion)
        lens = cv2.fisheye if self.model == "equidistant" else cv2
        return lens.projectPoints(points, zero, zero, self.matrix, coefficients)[0].reshape(-1, 2)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """The tangents x/z, y/z (n, 2) that fall on these pixels (n, 2): Newton's method on `project`; NaN if none."""
        tangents = (pixels - self.center) / self.focal
        if self.model == "equidistant":
            angle = np.linalg.norm(tangents, axis=1, keepdims=True)
            tangents = tangents / np.maximum(angle, 1e-9) * np.tan(np.minimum(angle, 1.4))
        for _ in range(12):
            tangents = self._step(tangents, pixels)
        missed = np.linalg.norm(self._pixels(tangents) - pixels, axis=1) > 0.01
        return np.where(missed[:, None], np.nan, tangents)

    def _step(self, tangents: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        here, step = self._pixels(tangents), 1e-5
        by_x = (self._pixels(tangents + np.array([step, 0])) - here) / step
        by_y = (self._pixels(tangents + np.array([0, step])) - here) / step
        jacobian = np.stack([by_x, by_y], axis=-1)
        determinant = np.linalg.det(jacobian)
        sound = np.abs(determinant) > 1e-6
        change = np.zeros_like(tangents)
        change[sound] = np.linalg.solve(jacobian[sound], (pixels - here)[sound][..., None])[..., 0]
        return tangents + np.clip(change, -0.3, 0.3)

    def _pixels(self, tangents: np.ndarray) -> np.ndarray:
        return self.project(np.column_stack([tangents, np.ones(len(tangents))]))


# From a lens that hardly distorts to one that bends straight lines into arcs and sees 150 degrees.
LENSES = (
    Lens("tele", "plumb_bob", (640, 480), (900.0, 905.0), (325.0, 236.0), (-0.12, 0.15, 0.0, 0.0, 0.0)),
    Lens("webcam", "plumb_bob", (640, 480), (520.0, 518.0), (311.0, 247.0), (0.06, -0.14, 0.001, -0.0015, 0.04)),
    Lens("wide", "plumb_bob", (640, 480), (370.0, 372.0), (328.0, 243.0), (-0.30, 0.11, 0.0008, 0.0005, -0.018)),
    Lens(
        "strong", "rational_polynomial", (640, 480), (330.0, 331.0), (316.0, 238.0),
        (0.9, 0.25, 0.0004, -0.0006, 0.01, 1.25, 0.45, 0.05),
    ),
    Lens("fisheye", "equidistant", (640, 480), (245.0, 246.0), (323.0, 241.0), (-0.02, 0.006, -0.004, 0.0006)),
)  # fmt: skip


class Scene:
    """A board before a lens; the rays of the lens are traced once."""

    def __init__(self, lens: Lens, board: Board) -> None:
        self.lens = lens
        self._board = board
        width, height = lens.size
        fine = np.indices((height * _FINER, width * _FINER)).reshape(2, -1).T[:, ::-1]
        coarse = np.indices((height // 4 + 2, width // 4 + 2)).reshape(2, -1).T[:, ::-1] * 4.0
        tangents = lens.rays(coarse).reshape(height // 4 + 2, width // 4 + 2, 2).astype(np.float32)
        places = ((fine + 0.5) / _FINER - 0.5).astype(np.float32) / 4
        maps = places.reshape(height * _FINER, width * _FINER, 2)
        self._rays = cv2.remap(tangents, np.clip(maps, 0, None), None, cv2.INTER_CUBIC)
        margin = _PER_SQUARE // 2
        self._texture = cv2.copyMakeBorder(board.picture(_PER_SQUARE), *[margin] * 4, cv2.BORDER_CONSTANT, value=255)
        self._margin = margin

    def picture(self, rotation: np.ndarray, place: np.ndarray) -> np.ndarray:
        """uint8 (height, width) of the board, turned by the rotation vector, its corner at `place` [m]."""
        turned = cv2.Rodrigues(rotation)[0]
        to_board = np.linalg.inv(np.column_stack([turned[:, 0], turned[:, 1], place]))
        ahead = np.concatenate([self._rays, np.ones_like(self._rays[..., :1])], axis=-1) @ to_board.T
        on_board = ahead[..., :2] / ahead[..., 2:] / self._board.square_m * _PER_SQUARE + self._margin - 0.5
        places = np.where(ahead[..., 2:] > 0, on_board, -1e6).astype(np.float32)
        fine = cv2.remap(self._texture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=90)
        return cv2.resize(fine, self.lens.size, interpolation=cv2.INTER_AREA)


def photograph(scene: Scene, board: Board, count: int, seed: int, noise: float = 6.0) -> list[np.ndarray]:
    """`count` noisy pictures, uint8, of the board in many places, at many distances and tilts."""
    rng = np.random.default_rng(seed)
    return [_noisy(scene.picture(*_pose(scene.lens, board, index, rng)), noise, rng) for index in range(count)]


def _noisy(picture: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    dim = picture * 0.75 + 25
    blurred = cv2.GaussianBlur(dim, (0, 0), 0.6)
    return np.clip(blurred + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def _pose(lens: Lens, board: Board, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The board's middle goes round the picture; its distance lets it fill 0.3 to 0.8 of the picture's width."""
    width, height = lens.size
    filled = rng.uniform(0.35, 0.75)
    column, row = (index * 0.618034) % 1, (index * 0.754878) % 1
    pixel = np.array([[width * (0.5 + 0.62 * (column - 0.5)), height * (0.5 + 0.62 * (row - 0.5))]])
    edges = lens.rays(np.array([[width * (0.5 - filled / 2), height / 2], [width * (0.5 + filled / 2), height / 2]]))
    distance = board.columns * board.square_m / float(edges[1, 0] - edges[0, 0])
    middle = np.append(lens.rays(pixel)[0], 1.0) * distance
    rotation = np.array([*rng.uniform(-0.55, 0.55, 2), rng.uniform(-0.4, 0.4)])
    half = np.array([board.columns * board.square_m / 2, board.rows * board.square_m / 2, 0])
    return rotation, middle - cv2.Rodrigues(rotation)[0] @ half
