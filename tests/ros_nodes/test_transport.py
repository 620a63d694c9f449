"""Images between processes: shared memory large enough for them, no larger, and the user's own where there is one."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from launcher import PACKAGE, Launcher
from shared_memory import segments, segments_mb

from edgefuse.runtime import DEFAULT_CLIP

PROFILE = "images.fastdds.xml"
FAST_DDS_ERROR = r"\[\w+ Error\]"


@pytest.fixture
def environment_for_images(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(PACKAGE))
    from edgefuse_ros.transport import environment_for_images

    monkeypatch.chdir(tmp_path)
    return environment_for_images


@pytest.mark.parametrize("package", ["fastdds", "fastrtps"])
@pytest.mark.parametrize("chosen", [{}, {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, {"SKIP_DEFAULT_XML_FILE": "1"}])
def test_a_process_that_publishes_images_gets_our_profile(environment_for_images, tmp_path, chosen, package):
    (tmp_path / "share" / package).mkdir(parents=True)
    ((name, path),) = environment_for_images(chosen | {"AMENT_PREFIX_PATH": str(tmp_path)}).items()
    assert name == f"{package.upper()}_DEFAULT_PROFILES_FILE", "as the version of Fast DDS that is installed has it"
    assert path.endswith(PROFILE)
    assert os.path.isfile(path)


@pytest.mark.parametrize(
    "chosen",
    [
        {"FASTDDS_DEFAULT_PROFILES_FILE": "/robot/dds.xml"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "/robot/dds.xml"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
    ],
    ids=lambda chosen: next(iter(chosen)),
)
def test_it_gets_nothing_where_the_user_has_chosen(environment_for_images, chosen):
    assert environment_for_images(chosen) == {}


@pytest.mark.parametrize("name", ["DEFAULT_FASTDDS_PROFILES.xml", "DEFAULT_FASTRTPS_PROFILES.xml"])
def test_a_profile_in_the_working_directory_is_the_users_choice(environment_for_images, tmp_path, name):
    (tmp_path / name).touch()
    assert environment_for_images({}) == {}
    assert environment_for_images({"SKIP_DEFAULT_XML_FILE": "1"}) != {}


def test_the_profile_holds_two_images_of_1920_x_1080():
    root = ElementTree.parse(PACKAGE / "edgefuse_ros" / PROFILE).getroot()
    (size,) = [int(element.text or 0) for element in root.iter() if element.tag.endswith("segment_size")]
    assert size > 2 * 1920 * 1080 * 3


def test_the_nodes_hold_little_shared_memory(ros):
    others = segments()
    names = [ros.start(node) for node in ("camera_node", "microphone_node", "perception_node")]
    held_mb = {path: size for name in names for path, size in segments_mb(ros.pid(name)).items() if path not in others}
    assert 16 < sum(held_mb.values()) < 24, held_mb


SEND = """
import sys
import time

from edgefuse_ros.transport import prepare_for_images

prepare_for_images()
import rclpy
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("sender")
publisher = node.create_publisher(Image, "images", qos_profile_sensor_data)
width, height, count = map(int, sys.argv[1:])
image = serialize_message(Image(width=width, height=height, step=3 * width, data=bytes(3 * width * height)))
while not publisher.get_subscription_count():
    time.sleep(0.05)
time.sleep(1)  # the subscription may know later
for _ in range(count):
    publisher.publish(image)
    time.sleep(1 / 10)
time.sleep(1)
rclpy.shutdown()
"""


@pytest.mark.parametrize(("width", "height"), [(640, 480), pytest.param(1920, 1080, marks=pytest.mark.slow)])
def test_images_arrive_best_effort(ros, width, height):
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    heard, qos = [], QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    ros.node.create_subscription(Image, "images", lambda data: heard.append(len(data)), qos, raw=True)
    ros.run([sys.executable, "-c", SEND, str(width), str(height), "30"], "sender")
    ros.until(lambda: len(heard) >= 20, "all images but what a busy computer is too late for")


LISTEN = """
import sys
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("listener")
heard = []
node.create_subscription(Image, sys.argv[1], heard.append, qos_profile_sensor_data)
end = time.monotonic() + 30
while len(heard) < 30 and time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
print("heard", len(heard))
rclpy.shutdown()
"""
IN_A_CONTAINER = """
import sys
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource


def generate_launch_description():
    source = PythonLaunchDescriptionSource(FILE)
    arguments = [("microphone", "false"), ("params_file", PARAMETERS), ("image", "/images")]
    included = IncludeLaunchDescription(source, launch_arguments=arguments)
    listener = ExecuteProcess(cmd=[sys.executable, LISTENER, "/images"], output="screen", on_exit=Shutdown())
    return LaunchDescription([included, listener])
"""
PARAMETERS = """
/**/camera:
  ros__parameters:
    clip: CLIP
/**/perception:
  ros__parameters:
    autostart: true
"""


@pytest.fixture
def container(ros, tmp_path):
    """The nodes and one that listens to images, where /dev/shm is as small as a container's; what was said."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("`unshare --mount` is not allowed here: it makes a /dev/shm of another size")
    listener, parameters, file = (tmp_path / name for name in ("listener.py", "parameters.yaml", "all.launch.py"))
    listener.write_text(LISTEN)
    parameters.write_text(PARAMETERS.replace("CLIP", str(DEFAULT_CLIP)))
    names = {"FILE": PACKAGE / "launch/perception.launch.py", "PARAMETERS": parameters, "LISTENER": listener}
    file.write_text(re.sub("|".join(names), lambda name: repr(str(names[name[0]])), IN_A_CONTAINER))

    def run(size: str) -> str:
        mount = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"'
        launcher = Launcher(ros, tmp_path, stand_in=True)
        launcher.start(file, before=("unshare", "--mount", "sh", "-c", mount, "sh"))
        assert launcher.exit_code() == 0
        return launcher.log()

    return run


def test_images_come_through_a_containers_64_mb_of_shared_memory(container):
    said = container("64m")
    assert "heard 30" in said
    assert not re.search(FAST_DDS_ERROR, said)
    assert "/dev/shm" not in said


@pytest.mark.slow
def test_too_little_shared_memory_is_said_in_one_line(container):
    said = container("8m")
    assert len(re.findall("/dev/shm has [0-7] MB free, and images between processes need", said)) == 1
    assert not re.search(FAST_DDS_ERROR, said)
