"""edgefuse_ros for colcon, and for pip where ROS 2 comes from wheels."""

from glob import glob

from setuptools import setup

NODES = ("perception_node", "onboard_node", "camera_node", "microphone_node")
SHARE = "share/edgefuse_ros"

setup(
    name="edgefuse_ros",
    version="0.1.0",
    description="edgefuse on the robot: camera, microphone and text in, percepts out",
    license="Apache-2.0",
    maintainer="edgefuse",
    maintainer_email="edgefuse@example.com",
    zip_safe=True,
    packages=["edgefuse_ros"],
    package_data={"edgefuse_ros": ["*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/edgefuse_ros"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", glob("launch/*.launch.py")),
        (f"{SHARE}/config", glob("config/*")),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    entry_points={"console_scripts": [f"{node} = edgefuse_ros.{node}:main" for node in NODES]},
)
