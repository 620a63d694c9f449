"""A camera's intrinsics and distortion, in the YAML that ROS reads and writes (camera_calibration_parsers).

ROS looks up its own keys and nothing else, so that the file can say in the key `edgefuse` how it was measured. A file
of ROS's own tools, without that key, is read as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import unquote, urlparse

import numpy as np
import yaml
from pydantic import FailFast, Field, model_validator

from edgefuse.runtime.arguments import check_kind, path_of
from edgefuse.runtime.corrections.measured import Measured, Measurement, validate, write_text
from edgefuse.runtime.errors import CalibrationError, FileError
from edgefuse.runtime.files.documents import read_yaml
from edgefuse.runtime.files.limits import FRAME_PIXELS

SCHEMA_VERSION: Final = 1
DistortionModel: TypeAlias = Literal["plumb_bob", "rational_polynomial", "equidistant"]
COEFFICIENTS: Final[dict[DistortionModel, tuple[int, ...]]] = {
    "plumb_bob": (5, 4, 0),
    "rational_polynomial": (8,),
    "equidistant": (4,),
}
_SHAPES = {"camera_matrix": (3, 3), "rectification_matrix": (3, 3), "projection_matrix": (3, 4)}
_ROTATION_ERROR = 0.01  # files hold few digits
_LARGEST_PX = 65_536
_MOST_NUMBERS = 16  # of one matrix
_SHORTEST, _LONGEST = 0.01, 1000.0  # focal lengths in widths of the picture: a fisheye has 0.2, a telescope 100
_FARTHEST = 10.0  # the principal point from a corner, in widths of the picture
_STRONGEST = 10_000.0  # coefficient of a lens; those of rational polynomials reach some hundreds
_HEADING = "# A camera_info file of ROS; the key `edgefuse` says how it was measured, ROS passes it over.\n"
_REMEDY = "measure again with `edgefuse calibrate camera`"


class Matrix(Measurement):
    """A matrix as ROS writes it, row by row."""

    rows: int = Field(ge=0, le=_MOST_NUMBERS)
    cols: int = Field(ge=0, le=_MOST_NUMBERS)
    data: Annotated[tuple[float, ...], FailFast()] = Field(max_length=_MOST_NUMBERS)

    @model_validator(mode="after")
    def _whole(self) -> Matrix:
        if len(self.data) != self.rows * self.cols:
            raise ValueError(f"has {len(self.data)} numbers, expected {self.rows} x {self.cols}")
        return self

    @staticmethod
    def of(array: np.ndarray) -> Matrix:
        """Of a 2-D array."""
        rows, cols = array.shape
        return Matrix(rows=rows, cols=cols, data=tuple(float(value) for value in array.ravel()))

    @property
    def array(self) -> np.ndarray:
        """float64 (rows, cols)."""
        return np.array(self.data, np.float64).reshape(self.rows, self.cols)


class CameraMeasured(Measured):
    """How sure a camera's calibration is; standard deviations and errors in pixels."""

    kind: Literal["camera"] = "camera"
    schema_version: Literal[1] = SCHEMA_VERSION
    views: int = Field(description="pictures of the board that it was measured from")
    rejected: int = Field(description="pictures that did not fit the others")
    error_px: float = Field(description="root mean square of the reprojection error")
    worst_view_px: float = Field(description="the same, of the worst view that was used")
    coverage: float = Field(description="share of the picture where the board was, 0..1")
    focal_sd_px: tuple[float, float]
    center_sd_px: tuple[float, float]


class CameraInfo(Measurement):
    """One camera at one resolution; field names are ROS's. Matrices as in sensor_msgs/CameraInfo: K, D, R and P."""

    image_width: int = Field(gt=0, le=_LARGEST_PX)
    image_height: int = Field(gt=0, le=_LARGEST_PX)
    camera_name: str = "unknown"
    camera_matrix: Matrix
    distortion_model: DistortionModel = "plumb_bob"
    distortion_coefficients: Matrix
    rectification_matrix: Matrix
    projection_matrix: Matrix
    edgefuse: CameraMeasured | None = None

    @model_validator(mode="after")
    def _consistent(self) -> CameraInfo:
        for name, shape in _SHAPES.items():
            matrix: Matrix = getattr(self, name)
            if (matrix.rows, matrix.cols) != shape:
                raise ValueError(f"{name} is {matrix.rows} x {matrix.cols}, expected {shape[0]} x {shape[1]}")
        allowed = COEFFICIENTS[self.distortion_model]
        count = len(self.distortion_coefficients.data)
        if count not in allowed:
            raise ValueError(f"{self.distortion_model} has {count} coefficients, expected {allowed[0]}")
        if any(abs(number) > _STRONGEST for number in self.distortion_coefficients.data):
            raise ValueError(f"distortion_coefficients has one beyond {_STRONGEST:,.0f}, as no lens has")
        if (refusal := FRAME_PIXELS.refusal(self.image_width * self.image_height)) is not None:
            raise ValueError(f"image_width times image_height is {refusal}")
        for name in ("camera_matrix", "projection_matrix"):
            self._check_pinhole(name, getattr(self, name).array)
        _check_rotation(self.rectification_matrix.array)
        return self

    def _check_pinhole(self, name: str, matrix: np.ndarray) -> None:
        """Raises ValueError unless it projects as some camera of this size does."""
        if min(matrix[0, 0], matrix[1, 1]) <= 0:
            raise ValueError(f"{name} has a focal length that is not positive")
        focal, center = matrix[[0, 1], [0, 1]] / self.image_width, matrix[:2, 2] / self.image_width
        if focal.min() < _SHORTEST or focal.max() > _LONGEST or np.abs(center).max() > _FARTHEST:
            raise ValueError(f"{name} is of no camera with pictures of {self.image_width} x {self.image_height}")
        if matrix[2, :3].tolist() != [0, 0, 1]:
            raise ValueError(f"{name} should end with 0, 0, 1, but ends with {matrix[2, :3].tolist()}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image_width, self.image_height

    def check_size(self, width: int, height: int) -> None:
        """Raises CalibrationError for frames of another size than was calibrated."""
        if (width, height) != self.size:
            raise CalibrationError(
                f"the camera was calibrated at {self.image_width} x {self.image_height} but gives {width} x {height}: "
                "set it to that size, or calibrate it again at this one"
            )


def read_camera_info(path: str | Path) -> CameraInfo:
    """Read ROS's YAML from a path or a file:// URL; raises CalibrationError in one line."""
    file = local_path(path)
    try:
        content = read_yaml(file)
    except FileError as error:
        raise CalibrationError(f"{error}; {_REMEDY}") from error
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key in CameraInfo.model_fields}
    return validate(CameraInfo, content, file, _REMEDY)


def write_camera_info(path: Path, info: CameraInfo) -> None:
    """Write what `read_camera_info` and ROS read; raises CalibrationError."""
    check_kind("info", info, CameraInfo)
    values = info.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=120)
    write_text(path, _HEADING + text)


def _check_rotation(matrix: np.ndarray) -> None:
    """Raises ValueError for another matrix, and for one that mirrors."""
    with np.errstate(all="ignore"):
        error = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if not error <= _ROTATION_ERROR or np.linalg.det(matrix) < 0:
        raise ValueError("rectification_matrix is no rotation")


def local_path(url: str | Path) -> Path:
    """The file of a path or a file:// URL."""
    if not (isinstance(url, str) and url.startswith("file:")):
        return path_of("a camera_info", url)
    return path_of("a camera_info", unquote(urlparse(url).path))
