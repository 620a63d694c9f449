"""Messages that get lost between the driver and the node are counted and told."""

import os
import subprocess
import sys

import pytest
from ros_domain import statuses

DRIVER = """
import sys
import rclpy
sys.path.insert(0, sys.argv[1])
from rclpy.qos import qos_profile_sensor_data
from ros_samples import image
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("driver")
images = node.create_publisher(Image, "image", qos_profile_sensor_data)
node.create_timer(1 / 30, lambda: images.publish(image(node.get_clock().now().to_msg(), width=1280, height=720)))
rclpy.spin(node)
"""


@pytest.fixture
def driver(ros):
    """A best-effort camera in another process, with Fast DDS as it is or sized for images."""
    from edgefuse_ros.transport import PROFILE

    processes = []

    def start(profile: bool) -> None:
        names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment |= {"ROS_DOMAIN_ID": str(ros.domain)} | (dict.fromkeys(names, str(PROFILE)) if profile else {})
        command = [sys.executable, "-c", DRIVER, os.path.dirname(__file__)]
        processes.append(subprocess.Popen(command, env=environment, start_new_session=True))

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_images_that_do_not_fit_the_drivers_shared_memory_are_a_warning_that_says_what_to_set(ros, driver):
    from diagnostic_msgs.msg import DiagnosticArray

    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    ros.start("perception_node", autostart=True)
    driver(profile=False)

    def said() -> str:
        status = statuses(diagnostics).get("perception: image")
        return status.message if status is not None else ""

    ros.until(lambda: "lost lately" in said(), "a warning of losses")
    assert "FASTDDS_DEFAULT_PROFILES_FILE" in said()
    assert "driver" in said()
    assert ros.log("perception").count("lost lately") == 1, "once in the log too"


def test_where_all_arrives_nothing_is_said(ros, driver):
    from diagnostic_msgs.msg import DiagnosticArray

    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    ros.start("perception_node", autostart=True)
    driver(profile=True)
    ros.until(lambda: (s := statuses(diagnostics).get("perception: image")) and s.message == "heard", "images")
    diagnostics.clear()
    ros.spin(2.5)
    assert "lost lately" not in statuses(diagnostics)["perception: image"].message
