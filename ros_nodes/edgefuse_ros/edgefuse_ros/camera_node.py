"""The camera node: the runtime's camera as a topic, for robots that have no driver node."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo as CameraInfoMessage
from sensor_msgs.msg import Image

from edgefuse.runtime import Frame, Sample
from edgefuse.runtime.calibrated.camera_info import read_camera_info
from edgefuse_ros import profiles, sources
from edgefuse_ros.conversions import camera_info_from_camera_info, image_from_frame
from edgefuse_ros.device_node import DeviceNode
from edgefuse_ros.settings import CameraNodeSettings
from edgefuse_ros.spin import spin


class CameraNode(DeviceNode[CameraNodeSettings]):
    """Publishes `image`, rgb8, stamped when it was grabbed; with `camera_info_url` also `camera_info`, of one stamp."""

    def __init__(self) -> None:
        super().__init__("camera", CameraNodeSettings)
        url = self.settings.camera_info_url
        self._info = read_camera_info(url) if url else None
        self._images = profiles.publisher(self, Image, "image", profiles.IMAGE)
        if self._info is not None:
            self._infos = profiles.publisher(self, CameraInfoMessage, "camera_info", profiles.CAMERA_INFO)
        self.begin(lambda: sources.camera(self.settings, self.clock.now_ns), self._publish)

    def _publish(self, sample: Sample) -> None:
        if not isinstance(sample, Frame):
            return
        image = image_from_frame(sample, self.clock.ros_ns(), self.settings.frame_id)
        self._images.publish(image)
        if self._info is not None:
            self._info.check_size(image.width, image.height)
            self._infos.publish(camera_info_from_camera_info(self._info, image))


def main() -> None:
    """`ros2 run edgefuse_ros camera_node`."""
    spin(CameraNode)
