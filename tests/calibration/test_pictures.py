"""Pictures are read as the sensor gave them: what turns them would move the lens's middle."""

from __future__ import annotations

import logging
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from exif import HALF_TURN, QUARTER_TURN, jpeg, write_jpeg
from rendering import Lens, Scene, photograph

from edgefuse.calibration.boards import Board
from edgefuse.calibration.camera import calibrate_camera
from edgefuse.calibration.pictures import read_pictures
from edgefuse.calibration.views import collect_views
from edgefuse.fusion.folder_files import read_picture
from edgefuse.runtime.files.pictures import decode_picture
from edgefuse.runtime.messages.ros_images import frame_from_compressed_image

BOARD = Board("charuco", 9, 7, 0.03, 0.022)
OFF_CENTRE = Lens("off centre", "plumb_bob", (640, 480), (520.0, 518.0), (352.0, 214.0), (0.06, -0.14, 0.0, 0.0, 0.04))


@cache
def photographs() -> list[np.ndarray]:
    """Of the board through the lens."""
    return photograph(Scene(OFF_CENTRE, BOARD), BOARD, 12, seed=1)


@pytest.mark.parametrize("orientation", [None, HALF_TURN, QUARTER_TURN])
def test_a_lens_is_centred_where_it_is_whatever_pictures_ask_to_be_turned(tmp_path, caplog, orientation):
    for number, picture in enumerate(photographs()):
        write_jpeg(tmp_path / f"{number:02}.jpg", picture, orientation)
    with caplog.at_level(logging.WARNING, logger="edgefuse"):
        collected = collect_views(read_pictures(tmp_path), BOARD, None, lambda *_: None)
    fit = calibrate_camera(collected.sharp(), BOARD).fit
    assert fit.matrix[:2, 2] == pytest.approx(OFF_CENTRE.center, abs=max(2.0, 6 * fit.sd_px[2:].max()))
    said = [record.getMessage() for record in caplog.records]
    assert said == (
        []
        if orientation is None
        else [
            f"{tmp_path / '00.jpg'} asks in its EXIF data to be turned; pictures are taken as the sensor gave "
            "them, as a camera's frames"
        ]
    )


def half_red() -> np.ndarray:
    """BGR, uint8 (40, 60, 3): the left half is red."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30, 2] = 255
    return picture


def test_frames_are_as_the_sensor_gave_them_too():
    sent = np.frombuffer(jpeg(half_red(), HALF_TURN), np.uint8)
    message = SimpleNamespace(format="jpeg", data=sent, header=SimpleNamespace(frame_id=""))
    for image in (frame_from_compressed_image(message, 0, "image").image, decode_picture(sent)):
        assert image[20, 10, 2] > 200 > 50 > image[20, 50, 2]


def test_labelled_pictures_of_things_are_upright_as_people_see_them(tmp_path):
    write_jpeg(tmp_path / "mug.jpg", half_red(), QUARTER_TURN)
    upright = read_picture(tmp_path / "mug.jpg", (60, 40))
    assert upright[10, 20, 0] > 200 > 50 > upright[50, 20, 0], "turned to the right, its left side is up"
