"""The launch files run for real; only where ROS 2's own launch and a built workspace are (no wheel brings them)."""

import signal
import subprocess
import sys

import pytest

LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from ament_index_python.packages import get_package_share_directory

path = get_package_share_directory("edgefuse_ros") + "/launch/" + sys.argv[1]
arguments = [argument.split(":=") for argument in sys.argv[2:]]
service = LaunchService()
included = IncludeLaunchDescription(PythonLaunchDescriptionSource(path), launch_arguments=arguments)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""


@pytest.mark.parametrize(
    ("arguments", "nodes"),
    [
        (["perception.launch.py", "namespace:=robot", "microphone:=false"], {"/robot/camera", "/robot/perception"}),
        (["onboard.launch.py", "namespace:=robot"], {"/robot/onboard"}),
    ],
)
def test_it_starts_its_nodes_and_starts_them_again(ros, arguments, nodes):
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI: source a ROS 2 installation")
    index = pytest.importorskip("ament_index_python.packages")
    try:
        index.get_package_share_directory("edgefuse_ros")
    except LookupError:
        pytest.skip("edgefuse_ros is not in the ament index: build it with colcon")

    def there() -> set[str]:
        found = ros.node.get_node_names_and_namespaces()
        return {f"{space.rstrip('/')}/{name}" for name, space in found} - {"/test"}

    launcher = ros.launch([sys.executable, "-c", LAUNCH, *arguments])
    ros.until(lambda: there() == nodes, f"{nodes}")
    killed = subprocess.run(["pkill", "-KILL", "-P", str(launcher.pid)], check=False)
    assert killed.returncode == 0
    ros.spin(0.5)
    ros.until(lambda: there() == nodes, f"{nodes} after they were killed")
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(timeout=20) == 0
    ros.until(lambda: there() == set(), "the end of all nodes")
