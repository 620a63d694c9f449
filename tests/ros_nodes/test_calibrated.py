"""The nodes use what was calibrated: CameraInfo beside the image, frames straightened, files of no use refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgefuse.runtime import DEFAULT_CLIP
from edgefuse.runtime.calibrated.camera_info import CameraInfo, Matrix, write_camera_info


@pytest.fixture
def lens(tmp_path: Path) -> Path:
    """A camera_info file for the default clip's frames."""
    k = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
    info = CameraInfo(
        image_width=320,
        image_height=240,
        camera_name="front",
        camera_matrix=Matrix.of(k),
        distortion_coefficients=Matrix.of(np.array([[-0.2, 0.05, 0, 0, 0]])),
        rectification_matrix=Matrix.of(np.eye(3)),
        projection_matrix=Matrix.of(np.column_stack([k, np.zeros(3)])),
    )
    path = tmp_path / "camera.yaml"
    write_camera_info(path, info)
    return path


def test_camera_info_goes_with_every_image(ros, lens):
    from sensor_msgs.msg import CameraInfo as CameraInfoMessage
    from sensor_msgs.msg import Image

    from edgefuse_ros import profiles

    images, infos = [], ros.hear(CameraInfoMessage, "camera_info")
    ros.node.create_subscription(Image, "image", images.append, profiles.IMAGE)
    ros.start("camera_node", clip=DEFAULT_CLIP, camera_info_url=lens.as_uri())
    ros.until(lambda: len(infos) > 5 and len(images) > 5, "images and their camera_info")
    info = infos[0]
    assert (info.width, info.height, info.distortion_model) == (320, 240, "plumb_bob")
    assert list(info.d) == [-0.2, 0.05, 0, 0, 0]
    assert (info.k[0], info.p[2], len(info.p)) == (300.0, 160.0, 12)
    assert info.header.frame_id == "camera"
    stamps = {(one.header.stamp.sec, one.header.stamp.nanosec) for one in infos}
    assert len(stamps & {(one.header.stamp.sec, one.header.stamp.nanosec) for one in images}) > 3


def test_perception_sees_straightened_frames(ros, lens):
    from edgefuse_msgs.msg import Percept

    percepts = ros.hear(Percept, "percepts")
    ros.start("perception_node", autostart=True, undistort=lens)
    ros.start("camera_node", clip=DEFAULT_CLIP)
    ros.until(
        lambda: any(s.valid and s.name == "image" for p in percepts for s in p.senses), "percepts of what is seen"
    )


@pytest.mark.parametrize(
    ("node", "option"), [("camera_node", "camera_info_url"), ("onboard_node", "sync"), ("perception_node", "undistort")]
)
def test_a_file_that_is_no_calibration_is_told_in_a_line(ros, tmp_path, node, option):
    path = tmp_path / "cut.yaml"
    path.write_text("image_width: [")
    if node == "camera_node":
        assert ros.start_and_end(node, "-p", f"camera_info_url:={path}") == 2
        assert re.search(r"cut\.yaml is no YAML", ros.log("camera"))
        return
    assert not ros.change(ros.start(node, **{option: path}), "configure")
