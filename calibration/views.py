"""Views: pictures of a board, of which only those are kept that are sharp and say something new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from edgefuse.calibration.boards import Board, Corners
from edgefuse.runtime.samples import Frame

GRID = (8, 6)  # cells of the coverage map, across and down
_NEW = 0.12
_COVERED = 0.8
_PATCH = 5
_BLURRED = 1.5
_SHARP_PX = 2.5


@dataclass(frozen=True, eq=False)
class View:
    """One picture of the board: its corners, and how many pixels wide its edges are, small where it is sharp."""

    corners: Corners
    size: tuple[int, int]
    edge_px: float

    @cached_property
    def traits(self) -> np.ndarray:
        """What makes views differ, float (7,): place across and down, scale, and how the board is turned and tilted.

        Each is a share of the picture or a ratio; from the homography that takes the board to the picture.
        """
        width, height = self.size
        points = self.corners.image
        middle = points.mean(axis=0) / (width, height)
        extent = float(np.sqrt(np.prod(np.ptp(points, axis=0)) / (width * height)))
        board = self.corners.board[:, :2]
        extents = float(np.max(np.ptp(board, axis=0)))
        homography, _ = cv2.findHomography((board - board.mean(axis=0)) / extents, points / max(width, height))
        if homography is None:
            return np.array([*middle, extent, 0, 0, 0, 0])
        first, second = homography[:2, 0], homography[:2, 1]
        lengths = [max(float(np.linalg.norm(one)), 1e-9) for one in (first, second)]
        turned, stretched = float(first[1]) / lengths[0], np.log(lengths[0] / lengths[1])
        return np.array([*middle, extent, 0.3 * turned, *homography[2, :2], 0.5 * stretched])

    def cells(self) -> np.ndarray:
        """Which cells of the grid hold a corner, bool (down, across)."""
        seen = np.zeros(GRID[::-1], bool)
        places = (self.corners.image / self.size * GRID).astype(int).clip(0, np.array(GRID) - 1)
        seen[places[:, 1], places[:, 0]] = True
        return seen


def view_of(gray: np.ndarray, board: Board) -> View | None:
    """The view in a picture, uint8 (height, width); None where the board is not seen."""
    corners = board.find(gray)
    if corners is None:
        return None
    height, width = gray.shape
    return View(corners, (width, height), _edge_px(gray, corners.image))


class ViewCollector:
    """Keeps the views that differ from one another; of two that are alike the sharper one."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self.seen = 0

    def add(self, view: View) -> bool:
        """Take in a view; False if one like it was there already."""
        self.seen += 1
        distances = [float(np.linalg.norm(view.traits - other.traits)) for other in self.views]
        if not distances or min(distances) >= _NEW:
            self.views.append(view)
            return True
        nearest = int(np.argmin(distances))
        if view.edge_px < self.views[nearest].edge_px:
            self.views[nearest] = view
        return False

    def sharp(self) -> list[View]:
        """Those that are not blurred: edges not half as wide again as most, or narrow in themselves."""
        if not self.views:
            return []
        limit = max(_SHARP_PX, _BLURRED * float(np.median([view.edge_px for view in self.views])))
        return [view for view in self.views if view.edge_px <= limit]


def collect_views(
    frames: Iterable[Frame],
    board: Board,
    enough: int | None,
    watch: Callable[[Frame, View | None, ViewCollector], None],
) -> ViewCollector:
    """The different views of a board among frames: of all of them, or until `enough` are sharp and cover the picture.

    `watch` is told of every frame; KeyboardInterrupt ends it with what is there.
    """
    collector = ViewCollector()
    try:
        for frame in frames:
            gray = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY if frame.encoding == "bgr8" else cv2.COLOR_RGB2GRAY)
            view = view_of(gray, board)
            if view is not None:
                collector.add(view)
            watch(frame, view, collector)
            if enough is not None and len(collector.sharp()) >= enough and share_covered(collector.views) >= _COVERED:
                break
    except KeyboardInterrupt:
        pass
    return collector


def coverage(views: list[View]) -> np.ndarray:
    """How many views have a corner in each cell of the grid, int (down, across)."""
    return np.sum([view.cells() for view in views], axis=0, dtype=int) if views else np.zeros(GRID[::-1], int)


def share_covered(views: list[View]) -> float:
    """The share of the cells that some view has a corner in, 0..1."""
    return float(np.mean(coverage(views) > 0))


def emptiest(views: list[View]) -> str:
    """Where in the picture the board was least, in words: what a person is told to do next."""
    ninths = cv2.resize(coverage(views).astype(np.float32), (3, 3), interpolation=cv2.INTER_AREA)
    down, across = np.unravel_index(int(np.argmin(ninths)), ninths.shape)
    return " ".join(filter(None, (("upper", "", "lower")[down], ("left", "", "right")[across]))) or "middle"


def _edge_px(gray: np.ndarray, points: np.ndarray) -> float:
    """The median width of the edges that meet at the corners: contrast over steepest slope [pixels]."""
    smooth = cv2.GaussianBlur(gray, (0, 0), 0.8).astype(np.float32)
    slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8)
    widths = []
    for x, y in np.rint(points).astype(int):
        patch = np.s_[max(0, y - _PATCH) : y + _PATCH + 1, max(0, x - _PATCH) : x + _PATCH + 1]
        contrast = float(np.ptp(np.percentile(smooth[patch], (5, 95))))
        widths.append(contrast / max(float(slope[patch].max()), 1e-6))
    return float(np.median(widths))
