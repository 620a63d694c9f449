"""A driver: a test's own camera, microphone and keyboard, and a perception node that listens to them."""

from __future__ import annotations

from ros_domain import statuses


class Driver:
    """A test's own camera, microphone and keyboard."""

    def __init__(self, ros, **parameters):
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import CompressedImage, Image
        from std_msgs.msg import String

        from edgefuse_msgs.msg import AudioChunk, Percept

        self.ros = ros
        self.percepts = ros.hear(Percept, "percepts")
        self.diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
        self.images = ros.node.create_publisher(Image, "image", qos_profile_sensor_data)
        self.compressed = ros.node.create_publisher(CompressedImage, "image/compressed", qos_profile_sensor_data)
        self.sounds = ros.node.create_publisher(AudioChunk, "audio", 500)
        self.texts = ros.node.create_publisher(String, "text", 10)
        self.name = ros.start("perception_node", autostart=True, **parameters)
        self._taken = self.compressed if parameters.get("image_transport") == "compressed" else self.images
        for publisher in (self._taken, self.sounds, self.texts):
            ros.until(lambda publisher=publisher: publisher.get_subscription_count() > 0, "subscriptions")

    def stamp(self, before_s: float = 0.0):
        from rclpy.duration import Duration

        return (self.ros.node.get_clock().now() - Duration(seconds=before_s)).to_msg()

    def header(self):
        from std_msgs.msg import Header

        return Header(stamp=self.stamp())

    def perceives(self, message) -> bool:
        """Whether an image, of the kind that the node takes, leads to a percept within a second."""
        self.percepts.clear()
        self._taken.publish(message)
        try:
            self.ros.until(lambda: self.percepts, "a percept", 1.0)
        except AssertionError:
            return False
        return True

    def status(self, part: str, key: str) -> str:
        """A value of the newest diagnostics."""
        self.diagnostics.clear()
        name = f"perception: {part}"
        self.ros.until(lambda: name in statuses(self.diagnostics), "diagnostics")
        return {pair.key: pair.value for pair in statuses(self.diagnostics)[name].values}.get(key, "")
