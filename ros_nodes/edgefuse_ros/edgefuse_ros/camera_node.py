"""The camera node: the runtime's camera as a topic, for robots that have no driver node."""

from __future__ import annotations

from sensor_msgs.msg import Image

from edgefuse.runtime import Frame, Sample
from edgefuse_ros import profiles, sources
from edgefuse_ros.conversions import image_from_frame
from edgefuse_ros.device_node import DeviceNode
from edgefuse_ros.settings import CameraSettings
from edgefuse_ros.spin import spin


class CameraNode(DeviceNode[CameraSettings]):
    """Publishes `image`, bgr8, stamped when it was grabbed."""

    def __init__(self) -> None:
        super().__init__("camera", CameraSettings)
        self._images = profiles.publisher(self, Image, "image", profiles.IMAGE)
        self.begin(lambda: sources.camera(self.settings, self.clock.now_ns), self._publish)

    def _publish(self, sample: Sample) -> None:
        if isinstance(sample, Frame):
            self._images.publish(image_from_frame(sample, self.clock.ros_ns(), self.settings.frame_id))


def main() -> None:
    """`ros2 run edgefuse_ros camera_node`."""
    spin(CameraNode)
