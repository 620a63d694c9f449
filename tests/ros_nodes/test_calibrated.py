"""The nodes use what was calibrated: CameraInfo beside the image, frames straightened, files of no use refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ros_samples import CAMERA

from edgefuse.runtime import DEFAULT_CLIP
from edgefuse.runtime.corrections.camera_info import CameraInfo, Matrix, read_camera_info, write_camera_info


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
    ros.start(*CAMERA, clip=DEFAULT_CLIP, camera_info_url=lens.as_uri())
    ros.until(lambda: len(infos) > 5 and len(images) > 5, "images and their camera_info")
    info = infos[0]
    assert (info.width, info.height, info.distortion_model) == (320, 240, "plumb_bob")
    assert list(info.d) == [-0.2, 0.05, 0, 0, 0]
    assert (info.k[0], info.p[2], len(info.p)) == (300.0, 160.0, 12)
    assert info.header.frame_id == "camera_optical_frame"
    stamps = {(one.header.stamp.sec, one.header.stamp.nanosec) for one in infos}
    assert len(stamps & {(one.header.stamp.sec, one.header.stamp.nanosec) for one in images}) > 3


def test_a_calibration_that_is_set_is_kept_and_published(ros, tmp_path):
    from sensor_msgs.msg import CameraInfo as CameraInfoMessage

    file = tmp_path / "new.yaml"
    infos = ros.hear(CameraInfoMessage, "camera_info")
    _start_camera(ros, camera_info_url=file.as_uri())
    assert "not there yet" in ros.log("camera")
    assert not infos
    answer = _set_camera_info(ros)
    assert answer.success, answer.status_message
    ros.until(lambda: infos, "camera_info from the next image on")
    assert (infos[0].k[0], list(infos[0].d)) == (310.0, [-0.1, 0.02, 0, 0, 0])
    kept = read_camera_info(file)
    assert (kept.size, kept.camera_name) == ((320, 240), "camera")
    assert kept.camera_matrix.array.ravel().tolist() == list(infos[0].k)
    assert kept.projection_matrix.array.ravel().tolist() == list(infos[0].p)


def test_a_calibration_of_no_use_is_refused_and_the_old_one_stays(ros, lens):
    before = lens.read_bytes()
    _start_camera(ros, camera_info_url=lens)
    wrong = {
        "calibrated at 640 x 480 but gives 320 x 240": {"width": 640, "height": 480},
        "distortion_model": {"distortion_model": "thin_prism"},
        "finite number": {"k": [float("nan"), 0.0, 160.0, 0.0, 310.0, 120.0, 0.0, 0.0, 1.0]},
        "has 3 coefficients, expected 5; calibrate": {"d": [0.1, 0.0, 0.0]},
    }
    for reason, fields in wrong.items():
        answer = _set_camera_info(ros, **fields)
        assert not answer.success
        assert reason in answer.status_message
        assert "\n" not in answer.status_message
    assert lens.read_bytes() == before


@pytest.mark.parametrize(("folder", "reason"), [(None, "camera_info_url"), ("nowhere", "cannot be written")])
def test_a_calibration_that_cannot_be_kept_is_refused(ros, tmp_path, folder, reason):
    _start_camera(ros, **({"camera_info_url": tmp_path / folder / "new.yaml"} if folder else {}))
    answer = _set_camera_info(ros)
    assert not answer.success
    assert reason in answer.status_message


def _start_camera(ros, **parameters):
    """A camera node that has given an image."""
    from sensor_msgs.msg import Image

    from edgefuse_ros import profiles

    images = []
    ros.node.create_subscription(Image, "image", images.append, profiles.IMAGE)
    ros.start(*CAMERA, clip=DEFAULT_CLIP, **parameters)
    ros.until(lambda: images, "an image")


def _set_camera_info(ros, **fields):
    """The answer to a calibration for the default clip's frames, but for some fields."""
    from sensor_msgs.msg import CameraInfo as CameraInfoMessage
    from sensor_msgs.srv import SetCameraInfo

    k = [310.0, 0.0, 160.0, 0.0, 310.0, 120.0, 0.0, 0.0, 1.0]
    p = [310.0, 0.0, 160.0, 0.0, 0.0, 310.0, 120.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    whole = {"width": 320, "height": 240, "distortion_model": "plumb_bob", "d": [-0.1, 0.02, 0.0, 0.0, 0.0]}
    info = CameraInfoMessage(**whole | {"k": k, "r": np.eye(3).ravel().tolist(), "p": p} | fields)
    return ros.call(SetCameraInfo, "set_camera_info", SetCameraInfo.Request(camera_info=info))


def test_perception_sees_straightened_frames(ros, lens):
    from edgefuse_msgs.msg import Percept

    percepts = ros.hear(Percept, "percepts")
    ros.start("perception_node", autostart=True, undistort=lens)
    ros.start(*CAMERA, clip=DEFAULT_CLIP)
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
