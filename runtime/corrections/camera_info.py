"""A camera's intrinsics and distortion, in the YAML that ROS reads and writes (camera_calibration_parsers).

ROS looks up its own keys and nothing else, so that the file can say in the key `edgefuse` how it was measured. A file
of ROS's own tools, without that key, is read as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, urlparse

import numpy as np
import yaml
from pydantic import Field, model_validator

from edgefuse.runtime.corrections.measured import Measured, Measurement, validate, write_text
from edgefuse.runtime.errors import CalibrationError, FileError
from edgefuse.runtime.files.documents import read_yaml

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
_HEADING = "# A camera_info file of ROS; the key `edgefuse` says how it was measured, ROS passes it over.\n"
_REMEDY = "measure again with `edgefuse calibrate camera`"


class Matrix(Measurement):
    """A matrix as ROS writes it, row by row."""

    rows: int
    cols: int
    data: tuple[float, ...]

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
        for name in ("camera_matrix", "projection_matrix"):
            matrix = getattr(self, name)
            if min(matrix.array[0, 0], matrix.array[1, 1]) <= 0:
                raise ValueError(f"{name} has a focal length that is not positive")
        rotation = self.rectification_matrix.array
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > _ROTATION_ERROR:
            raise ValueError("rectification_matrix is no rotation")
        return self

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
    values = info.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=120)
    write_text(path, _HEADING + text)


def local_path(url: str | Path) -> Path:
    """The file of a path or a file:// URL."""
    if not str(url).startswith("file:"):
        return Path(url)
    return Path(unquote(urlparse(str(url)).path))
