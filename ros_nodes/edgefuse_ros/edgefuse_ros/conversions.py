"""Between ROS messages and samples: every converter `<target>_from_<source>`.

Images, sound and signals become samples in edgefuse.runtime (ros_images.py, ros_sounds.py, ros_signals.py), and sound
and percepts become messages there (ros_messages.py), as in a recording. Stamps are ROS time [ns]; `ros_ns` is what to
add to a monotonic stamp to get there.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from sensor_msgs.msg import CameraInfo as CameraInfoMessage
from sensor_msgs.msg import Image

from edgefuse.runtime import Frame
from edgefuse.runtime.corrections.camera_info import CameraInfo
from edgefuse.runtime.corrections.measured import validate
from edgefuse.runtime.messages.ros_stamps import stamp_ns_from_header
from edgefuse.runtime.samples import NS_PER_S


def time_from_stamp(stamp_ns: int) -> Time:
    """A message's stamp."""
    return Time(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)


def stamp_ns_from_message(message: Any, now_ns: int) -> int:
    """When its evidence was sensed: its header's stamp, or now where it has none."""
    stamp_ns = stamp_ns_from_header(message)
    return now_ns if stamp_ns is None else stamp_ns


def image_from_frame(frame: Frame, ros_ns: int) -> Image:
    """A sensor_msgs/Image with a copy of the picture."""
    height, width, channels = frame.image.shape
    message = Image(height=height, width=width, encoding=frame.encoding, step=width * channels)
    message.header.stamp = time_from_stamp(frame.stamp_ns + ros_ns)
    message.header.frame_id = frame.frame_id
    message.data = _bytes(frame.image)
    return message


def camera_info_from_camera_info(info: CameraInfo, image: Image) -> CameraInfoMessage:
    """The sensor_msgs/CameraInfo that goes with an image: of the same stamp and frame."""
    return CameraInfoMessage(
        header=image.header,
        width=info.image_width,
        height=info.image_height,
        distortion_model=info.distortion_model,
        d=info.distortion_coefficients.data,
        k=info.camera_matrix.data,
        r=info.rectification_matrix.data,
        p=info.projection_matrix.data,
    )


def camera_info_from_message(message: CameraInfoMessage, camera_name: str) -> CameraInfo:
    """What a sensor_msgs/CameraInfo says of the lens; binning and roi have no place in ROS's file.

    Raises CalibrationError for another distortion model, a number that is not finite, or a camera without focal length.
    """
    values = {
        "image_width": message.width,
        "image_height": message.height,
        "camera_name": camera_name,
        "camera_matrix": _matrix(3, message.k),
        "distortion_model": message.distortion_model,
        "distortion_coefficients": _matrix(1, message.d),
        "rectification_matrix": _matrix(3, message.r),
        "projection_matrix": _matrix(3, message.p),
    }
    return validate(CameraInfo, values, "camera_info", "calibrate the camera again")


def status_from_finding(name: str, hardware_id: str, level: bytes, message: str, values: dict[str, Any]) -> Any:
    """A diagnostic_msgs/DiagnosticStatus."""
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id=hardware_id, values=pairs)


def _bytes(content: np.ndarray) -> array.array[int]:
    """A copy as rclpy takes it fast: assigning an ndarray itself costs 500 times as long."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(content).data.cast("B"))
    return data


def _matrix(rows: int, values: Sequence[float]) -> dict[str, Any]:
    return {"rows": rows, "cols": len(values) // rows, "data": [float(value) for value in values]}
