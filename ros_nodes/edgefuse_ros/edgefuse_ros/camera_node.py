"""The camera node: the runtime's camera as a topic, for robots that have no driver node."""

from __future__ import annotations

import os

from sensor_msgs.msg import CameraInfo as CameraInfoMessage
from sensor_msgs.msg import Image
from sensor_msgs.srv import SetCameraInfo

from edgefuse.runtime import EdgefuseError, Frame, Sample
from edgefuse.runtime.corrections.camera_info import CameraInfo, local_path, read_camera_info, write_camera_info
from edgefuse.runtime.errors import CalibrationError
from edgefuse_ros import devices, profiles
from edgefuse_ros.conversions import camera_info_from_camera_info, camera_info_from_message, image_from_frame
from edgefuse_ros.device_node import DeviceNode
from edgefuse_ros.settings import CameraNodeSettings
from edgefuse_ros.spin import spin
from edgefuse_ros.transport import prepare_for_images


class CameraNode(DeviceNode[CameraNodeSettings]):
    """Publishes `image_raw`, stamped when it was grabbed, and with `camera_info_url` `camera_info`, of the same stamp.

    `set_camera_info` writes the file of `camera_info_url`, as the service of ROS's camera_info_manager does.
    """

    def __init__(self) -> None:
        super().__init__("camera", CameraNodeSettings)
        url = self.settings.camera_info_url
        self._file = local_path(url) if url else None
        self._info = self._read()
        self._size: tuple[int, int] | None = None
        self._images = profiles.publisher(self, Image, "image_raw", profiles.CAMERA)
        if self._file is not None:
            self._infos = profiles.publisher(self, CameraInfoMessage, "camera_info", profiles.CAMERA)
        self.create_service(SetCameraInfo, "set_camera_info", self._set_camera_info)
        self.begin(lambda: devices.camera(self.settings, self.clock.now_ns), self._publish)

    def _publish(self, sample: Sample) -> None:
        if not isinstance(sample, Frame):
            return
        image = image_from_frame(sample, self.clock.ros_ns())
        self._size = image.width, image.height
        self._images.publish(image)
        info = self._info  # the service may set another meanwhile
        if info is not None:
            info.check_size(image.width, image.height)
            self._infos.publish(camera_info_from_camera_info(info, image))

    def _read(self) -> CameraInfo | None:
        """Of the file; a camera that is yet to be calibrated has none."""
        if self._file is None:
            return None
        if os.path.exists(self._file):
            return read_camera_info(self._file)
        self.get_logger().warning(f"camera_info_url: {self._file} is not there yet; service set_camera_info makes it")
        return None

    def _set_camera_info(
        self, request: SetCameraInfo.Request, response: SetCameraInfo.Response
    ) -> SetCameraInfo.Response:
        try:
            self._info = self._written(request.camera_info)
        except EdgefuseError as error:
            response.status_message = str(error)
        else:
            response.success = True
            response.status_message = f"written to {self._file}"
        return response

    def _written(self, message: CameraInfoMessage) -> CameraInfo:
        """The message's, once it is in the file; raises CalibrationError."""
        if self._file is None:
            raise CalibrationError("there is no file to write: start the node with the parameter camera_info_url")
        if self._size is None:
            raise CalibrationError("the camera has given no image yet: try again once it does")
        info = camera_info_from_message(message, self._info.camera_name if self._info else self.get_name())
        info.check_size(*self._size)
        write_camera_info(self._file, info)
        return info


def main() -> None:
    """`ros2 run edgefuse_ros camera_node`."""
    prepare_for_images()
    spin(CameraNode)
