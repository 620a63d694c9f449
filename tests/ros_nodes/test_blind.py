"""A node that is blind says so in /diagnostics, and why."""

import pytest
from ros_domain import statuses
from ros_samples import image

ERROR, WARN, OK = b"\x02", b"\x01", b"\x00"


class Camera:
    """A driver in another process, on a clock of its own; and what /diagnostics says meanwhile."""

    def __init__(self, ros, ahead_s: float = 0.0) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.duration import Duration
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import Image

        self.ros = ros
        self.diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
        images = ros.node.create_publisher(Image, "image", qos_profile_sensor_data)
        stamp = lambda: (ros.node.get_clock().now() + Duration(seconds=ahead_s)).to_msg()  # noqa: E731
        ros.node.create_timer(1 / 20, lambda: images.publish(image(stamp())))

    def until(self, name: str, level: bytes, *words: str) -> None:
        """Wait until a status says this."""

        def said() -> bool:
            status = statuses(self.diagnostics).get(name)
            return status is not None and status.level == level and all(word in status.message for word in words)

        try:
            self.ros.until(said, f"{name} {level!r} {words}", 20.0)
        except AssertionError as error:
            raise AssertionError(f"{name} said {statuses(self.diagnostics).get(name)}") from error


def test_a_node_that_could_not_start_is_an_error_until_it_starts(ros):
    camera = Camera(ros)
    name = ros.start("perception_node", autostart=True, bundle="/nowhere")
    camera.until("perception: perception", ERROR, "cannot configure", "/nowhere")
    assert ros.set(name, bundle="") is None
    assert ros.change(name, "configure")
    camera.until("perception: perception", OK, "inactive")


@pytest.mark.parametrize("ahead_s", [0.3, 60.0])
def test_a_camera_whose_clock_is_ahead_is_an_error_that_says_by_how_much(ros, ahead_s):
    camera = Camera(ros, ahead_s)
    ros.start("perception_node", autostart=True)
    camera.until("perception: image", ERROR, "refused lately", "ms in the future of the perceiver's clock")


def test_how_far_clocks_may_be_apart_is_a_parameter(ros):
    camera = Camera(ros, ahead_s=0.3)
    ros.start("perception_node", autostart=True, future_tolerance_ms=1000.0)
    camera.until("perception: image", OK, "heard")


def test_a_camera_whose_clock_is_behind_is_a_warning_that_says_by_how_much(ros):
    camera = Camera(ros, ahead_s=-10.0)
    ros.start("perception_node", autostart=True)
    camera.until("perception: image", WARN, "stamped 10.")


def test_two_robots_have_statuses_of_their_own(ros):
    camera = Camera(ros)
    for robot in ("a", "b"):
        ros.start("perception_node", "-r", f"__ns:=/{robot}", name=f"{robot}_perception", autostart=True)
    for robot in ("a", "b"):
        camera.until(f"{robot}/{robot}_perception: image", ERROR, "silent")
    ids = {status.hardware_id for message in camera.diagnostics for status in message.status}
    assert ids == {"a/a_perception", "b/b_perception"}
