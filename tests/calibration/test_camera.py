"""A camera whose lens is known is measured from pictures of a board: right, or refused, never wrong."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from rendering import LENSES, Lens, Scene, photograph

from edgefuse.calibration.boards import Board
from edgefuse.calibration.camera import CameraCalibration, calibrate_camera
from edgefuse.calibration.views import View, ViewCollector, collect_views, emptiest, share_covered, view_of
from edgefuse.runtime import Frame
from edgefuse.runtime.errors import CalibrationError

CHARUCO = Board("charuco", 9, 7, 0.03, 0.022)
CHESSBOARD = Board("chessboard", 9, 7, 0.03)
WEBCAM = LENSES[1]


@cache
def pictures(lens: Lens, board: Board, count: int = 12) -> list[np.ndarray]:
    """Of the board through the lens, noisy."""
    return photograph(Scene(lens, board), board, count, seed=1)


@cache
def views(lens: Lens = WEBCAM, board: Board = CHARUCO) -> list[View]:
    """All that show the board."""
    return [view for view in (view_of(picture, board) for picture in pictures(lens, board)) if view is not None]


def focal_error(calibration: CameraCalibration, lens: Lens) -> float:
    """The larger relative error of fx and fy."""
    return float(np.max(np.abs(np.diag(calibration.fit.matrix)[:2] / lens.focal - 1)))


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: lens.name)
def test_the_focal_length_of_every_lens_is_found(lens):
    calibration = calibrate_camera(views(lens), CHARUCO)
    assert calibration.fit.model == lens.model
    assert focal_error(calibration, lens) < 0.005
    assert calibration.fit.error_px < 0.3
    off = np.abs(calibration.fit.matrix[:2, 2] - lens.center)
    assert (off < 6 * calibration.fit.sd_px[2:]).all(), "the uncertainty is not what it says"
    assert (calibration.fit.sd_px[:2] < 0.005 * np.array(lens.focal)).all()


def test_a_chessboard_does_as_well():
    calibration = calibrate_camera(views(WEBCAM, CHESSBOARD), CHESSBOARD)
    assert focal_error(calibration, WEBCAM) < 0.005
    assert calibration.fit.error_px < 0.3


def test_a_lens_model_may_be_asked_for():
    fisheye = LENSES[-1]
    assert calibrate_camera(views(fisheye), CHARUCO, model="rational_polynomial").fit.error_px < 0.3
    with pytest.raises(CalibrationError, match=r"no lens fits|pixels from where plumb_bob"):
        calibrate_camera(views(fisheye), CHARUCO, model="plumb_bob")


def test_a_bad_view_is_rejected_and_does_no_harm():
    good = views()
    bent = good[3].corners.image + np.random.default_rng(0).normal(0, 4, good[3].corners.image.shape)
    bad = View(type(good[3].corners)(good[3].corners.board, bent.astype(np.float32)), good[3].size, 2.0)
    calibration = calibrate_camera([*good, bad], CHARUCO)
    assert calibration.used == (True,) * len(good) + (False,)
    assert focal_error(calibration, WEBCAM) < 0.005
    assert calibration.info.edgefuse is not None
    assert (calibration.info.edgefuse.views, calibration.info.edgefuse.rejected) == (len(good), 1)


def test_of_pictures_that_are_alike_the_sharpest_is_kept():
    sharp = pictures(WEBCAM, CHARUCO)[1]
    collector = ViewCollector()
    for picture in (cv2.GaussianBlur(sharp, (0, 0), 1.6), sharp, cv2.GaussianBlur(sharp, (0, 0), 1.2)):
        view = view_of(picture, CHARUCO)
        assert view is not None
        collector.add(view)
    assert (len(collector.views), collector.seen) == (1, 3)
    sharpest = view_of(sharp, CHARUCO)
    assert sharpest is not None
    assert collector.views[0].edge_px == sharpest.edge_px


def test_blurred_views_are_left_out():
    blurred = view_of(cv2.GaussianBlur(pictures(WEBCAM, CHESSBOARD)[1], (0, 0), 3.0), CHESSBOARD)
    assert blurred is not None
    sharp = [view for view in (view_of(picture, CHESSBOARD) for picture in pictures(WEBCAM, CHESSBOARD)[2:]) if view]
    collector = ViewCollector()
    for view in (blurred, *sharp):
        collector.add(view)
    assert blurred in collector.views
    assert blurred not in collector.sharp()
    assert len(collector.sharp()) == len(collector.views) - 1


def test_collecting_live_ends_when_there_is_enough():
    told: list[int] = []
    frames = (Frame(n, np.repeat(picture[..., None], 3, axis=2)) for n, picture in enumerate(pictures(WEBCAM, CHARUCO)))
    collector = collect_views(frames, CHARUCO, 8, lambda frame, view, collected: told.append(len(collected.views)))
    assert 8 <= len(collector.views) < 12
    assert told == sorted(told)
    assert share_covered(collector.views) >= 0.8


def test_a_person_is_told_where_the_board_was_not():
    left = [view for view in views() if view.corners.image[:, 0].max() < 420]
    assert left
    assert "right" in emptiest(left)


def test_too_few_views_are_refused():
    with pytest.raises(CalibrationError, match=r"^7 sharp views .* 8 at least; move the board"):
        calibrate_camera(views()[:7], CHARUCO)


def test_views_that_are_too_much_alike_are_refused():
    scene, half = Scene(WEBCAM, CHARUCO), np.array([0.135, 0.105, 0.0])
    places = [np.array([x, y, 0.6]) - half for x in (-0.12, 0.0, 0.12) for y in (-0.08, 0.0, 0.08)]
    flat = [view_of(scene.picture(np.array([0.01, 0.01, 0.0]), place), CHARUCO) for place in places]
    with pytest.raises(CalibrationError, match=r"known to .* only .* too much alike; move the board"):
        calibrate_camera([view for view in flat if view is not None], CHARUCO)


def test_views_of_two_sizes_are_refused():
    with pytest.raises(CalibrationError, match=r"several sizes \(640 x 480, 1280 x 960\)"):
        calibrate_camera([*views(), View(views()[0].corners, (1280, 960), 2.0)], CHARUCO)


def test_another_board_or_none_is_no_view():
    assert view_of(pictures(WEBCAM, CHARUCO)[1], CHESSBOARD) is None
    assert view_of(np.random.default_rng(0).integers(0, 255, (480, 640), np.uint8), CHARUCO) is None
    assert view_of(np.zeros((480, 640), np.uint8), CHESSBOARD) is None


def test_an_opencv_that_knows_no_boards_with_markers_is_one_line(monkeypatch):
    monkeypatch.delattr(cv2.aruco, "CharucoDetector")
    with pytest.raises(CalibrationError, match=r"too old .* 4\.7 at least"):
        Board("charuco", 9, 6, 0.03, 0.02)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("charuco", 3, 7, 0.03, 0.02), "3 x 7 squares is too small"),
        (("charuco", 9, 7, 0.03, 0.04), "markers of 0.04 m do not fit"),
        (("charuco", 9, 7, 0.03, 0.02, "9X9_3"), "9X9_3 is no dictionary"),
        (("chessboard", 9, 7, 0.0), "squares are 0.0 m wide"),
    ],
)
def test_a_board_that_cannot_be_is_refused(arguments, said):
    with pytest.raises(CalibrationError, match=said):
        Board(*arguments)


def test_the_picture_is_drawn(tmp_path):
    from edgefuse.calibration.camera_picture import draw_camera

    draw_camera(tmp_path / "camera.png", calibrate_camera(views(), CHARUCO))
    assert cv2.imread(str(tmp_path / "camera.png")).shape[0] > 500


def test_the_live_picture_is_saved_where_there_is_no_display(tmp_path, monkeypatch):
    pytest.importorskip("rerun")
    from edgefuse.calibration.board_viewer import DEFAULT_FILE, BoardViewer

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    viewer, collector = BoardViewer(), ViewCollector()
    for number, picture in enumerate(pictures(WEBCAM, CHARUCO)[:3]):
        view = view_of(picture, CHARUCO)
        viewer.show(Frame(number, np.repeat(picture[..., None], 3, axis=2)), view, collector)
    viewer.close()
    assert (tmp_path / DEFAULT_FILE).stat().st_size > 10_000
