"""Camera calibrations as ROS keeps them: read, written, and refused in one line where they are damaged."""

import numpy as np
import pytest
import yaml

from edgefuse.runtime import Frame
from edgefuse.runtime.corrections.camera_info import (
    CameraInfo,
    CameraMeasured,
    Matrix,
    read_camera_info,
    write_camera_info,
)
from edgefuse.runtime.corrections.undistorter import Undistorter
from edgefuse.runtime.errors import CalibrationError

# As camera_calibration_parsers writes it, with an exponent and a line break that are YAML to ROS.
OF_ROS = """image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [438.78, 0, 305.59, 0, 437.35, 243.73, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.3611, 0.1121, -4.2e-05,
    1e-05, 0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [393.65, 0, 322.79, 0, 0, 393.65, 241.09, 0, 0, 0, 1, 0]
"""
MEASURED = CameraMeasured(
    at="2031-05-06T07:08:09+00:00",
    by="edgefuse 0.1.0",
    how="charuco of 9 x 6 squares of 28 mm: on a wall",
    views=24,
    rejected=1,
    error_px=0.13,
    worst_view_px=0.2,
    coverage=0.9,
    focal_sd_px=(0.2, 0.2),
    center_sd_px=(0.3, 0.3),
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "camera info.yaml"
    path.write_text(OF_ROS)
    return path


def test_a_file_of_ros_is_read_by_path_and_by_url(file):
    info = read_camera_info(file)
    assert (info.size, info.camera_name, info.distortion_model) == ((640, 480), "narrow_stereo", "plumb_bob")
    assert info.distortion_coefficients.data == (-0.3611, 0.1121, -4.2e-05, 1e-05, 0)
    assert info.projection_matrix.array.shape == (3, 4)
    assert read_camera_info(file.as_uri()) == info


def test_what_ros_would_pass_over_is_passed_over(file):
    file.write_text("camera_model: pinhole\n" + OF_ROS)
    assert read_camera_info(file).size == (640, 480)


def test_what_is_written_is_read_again_and_by_ros(file, tmp_path):
    info = read_camera_info(file).model_copy(update={"edgefuse": MEASURED})
    written = tmp_path / "written.yaml"
    write_camera_info(written, info)
    assert read_camera_info(written) == info
    plain, original = (yaml.safe_load(path.read_text()) for path in (written, file))
    assert list(plain) == [*original, "edgefuse"]
    assert plain["camera_matrix"]["data"] == original["camera_matrix"]["data"]
    assert all(isinstance(number, float) for number in plain["distortion_coefficients"]["data"])
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_cannot_be_written_is_told(tmp_path, file):
    with pytest.raises(CalibrationError, match="cannot be written"):
        write_camera_info(tmp_path / "nowhere" / "camera.yaml", read_camera_info(file))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("image_width: 640\n", "", "image_width: Field required"),
        ("image_width: 640", "image_width: wide", "image_width"),
        ("plumb_bob", "thin_prism", "distortion_model"),
        ("plumb_bob", "equidistant", "equidistant has 5 coefficients, expected 4"),
        ("cols: 4", "cols: 3", "has 12 numbers, expected 3 x 3"),
        ("438.78", "-438.78", "focal length that is not positive"),
        ("438.78", ".nan", "camera_matrix.data.0"),
        (
            "data: [393.65, 0, 322.79, 0, 0, 393.65, 241.09",
            "data: [0, 0, 0, 0, 0, 0, 0",
            "projection_matrix has a focal",
        ),
        (
            "data: [1, 0, 0, 0, 1, 0, 0, 0, 1]",
            "data: [0, 0, 0, 0, 0, 0, 0, 0, 0]",
            "rectification_matrix is no rotation",
        ),
        ("image_width: 640", "image_width: 64000000", "image_width"),
        (
            "640\nimage_height: 480",
            "65536\nimage_height: 65536",
            "image_height is 4,294,967,296 pixels",
        ),
        ("438.78", "4.3878e-300", "camera_matrix is of no camera with pictures of 640 x 480"),
        ("393.65", "1.0e+300", "projection_matrix is of no camera"),
        ("322.79", "1.0e+300", "projection_matrix is of no camera"),
        ("0, 0, 1, 0]", "0, 0, 0, 0]", "projection_matrix should end with 0, 0, 1"),
        ("-0.3611", "1.0e+300", "distortion_coefficients has one beyond"),
        ("data: [1, 0, 0, 0, 1, 0, 0, 0, 1]", "data: [-1, 0, 0, 0, 1, 0, 0, 0, 1]", "is no rotation"),
        ("data: [1, 0, 0, 0, 1, 0, 0, 0, 1]", "data: [1.0e+300, 0, 0, 0, 1, 0, 0, 0, 1]", "is no rotation"),
        ("rows: 1\n  cols: 5", "rows: -1\n  cols: -5", "rows"),
        ("0, 1]\ndistortion_model", "0, 1\ndistortion_model", "is no YAML"),
        ("distortion_coefficients", "distortion_coefficents", "distortion_coefficients: Field required"),
        (OF_ROS, "", "holds no named values"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(file, old, new, said):
    file.write_text(OF_ROS.replace(old, new))
    with pytest.raises(CalibrationError, match=said) as refused:
        read_camera_info(file)
    assert "\n" not in str(refused.value)
    assert str(file) in str(refused.value)
    assert "edgefuse calibrate camera" in str(refused.value)


def test_another_schema_a_missing_and_a_binary_file_are_refused(file, tmp_path):
    info = read_camera_info(file).model_copy(update={"edgefuse": MEASURED})
    write_camera_info(file, info)
    file.write_text(file.read_text().replace("schema_version: 1", "schema_version: 2"))
    with pytest.raises(CalibrationError, match=r"edgefuse.schema_version: Input should be 1, got 2"):
        read_camera_info(file)
    with pytest.raises(CalibrationError, match="No such file"):
        read_camera_info(tmp_path / "nowhere.yaml")
    file.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(CalibrationError, match="no text in UTF-8"):
        read_camera_info(file)


def lens(model: str, coefficients: list[float]) -> CameraInfo:
    k = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
    return CameraInfo(
        image_width=320,
        image_height=240,
        camera_matrix=Matrix.of(k),
        distortion_model=model,
        distortion_coefficients=Matrix.of(np.array([coefficients])),
        rectification_matrix=Matrix.of(np.eye(3)),
        projection_matrix=Matrix.of(np.column_stack([k, np.zeros(3)])),
    )


@pytest.mark.parametrize(
    ("model", "coefficients"), [("plumb_bob", [-0.3, 0.1, 0, 0, 0]), ("equidistant", [-0.02, 0.006, 0, 0])]
)
def test_a_point_is_where_it_would_be_without_the_lens(model, coefficients):
    import cv2

    info = lens(model, coefficients)
    ray = np.array([[[0.35, -0.25, 1.0]]])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    bent = project(ray, np.zeros(3), np.zeros(3), info.camera_matrix.array, np.array(coefficients))[0].ravel()
    image = np.zeros((240, 320, 3), np.uint8)
    cv2.circle(image, tuple(round(16 * float(value)) for value in bent), 64, (255, 255, 255), -1, cv2.LINE_AA, 4)
    straight = Undistorter(info).undistort(Frame(7, image, "bgr8"))
    assert (straight.stamp_ns, straight.encoding, straight.image.shape) == (7, "bgr8", (240, 320, 3))
    weights = straight.image[..., 0].astype(float)
    y, x = (float((place * weights).sum() / weights.sum()) for place in np.indices(weights.shape))
    assert (x, y) == pytest.approx((160 + 300 * 0.35, 120 - 300 * 0.25), abs=0.5)


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(CalibrationError, match="calibrated at 320 x 240 but gives 640 x 480: set it"):
        Undistorter(lens("plumb_bob", [0, 0, 0, 0, 0])).undistort(Frame(0, np.zeros((480, 640, 3), np.uint8)))


def test_a_lens_that_leaves_nothing_to_be_seen_is_refused(file):
    """Every number for itself is of some camera; frames would be black."""
    file.write_text(OF_ROS.replace("305.59", "6000"))
    with pytest.raises(CalibrationError, match="leaves next to nothing of a frame in the picture"):
        Undistorter(read_camera_info(file))
