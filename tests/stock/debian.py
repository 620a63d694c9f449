"""The installation of docs/ros.md on Debian 12 as it comes, by the page's own commands, in a chroot.

ROS 2 lies in /opt/ros/kilted as apt's would, but from wheels; colcon from the registry, too. rosdep and ros2 are on no
registry and are left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
HOUSE = HERE.parent.parent
SYSTEM = ["python3-numpy", "python3-opencv", "python3-pydantic", "python3-typing-extensions", "python3-yaml"]
BUILDING = ["build-essential", "cmake", "ninja-build", "python3-catkin-pkg", "python3-dev", "python3-empy"]
OTHERS = ["ca-certificates", "libportaudio2", "python3-lark", "python3-pip", "python3-venv"]
LEFT_OUT = ("rosdep ", "ros2 ")
NETWORK = ("resolv.conf", "pip.conf", "ssl/certs/ca-certificates.crt")  # in /etc: how this machine reaches the world
PERCEPTS = "python3 src/edgefuse/tests/stock/percepts.py install/edgefuse_ros/lib/edgefuse_ros"


def check(root: Path) -> str | None:
    """What went wrong; None: nothing."""
    if not root.exists():
        prepare(root.with_name("unpacking"))
        root.with_name("unpacking").rename(root)
    copy_source(root / "root" / "robot_ws")
    with entered(root):
        said = run(root, ["export ROS_DISTRO=kilted ROS_DOMAIN_ID=231", *commands(), PERCEPTS])
        changed = run(root, [f"dpkg --verify {' '.join(SYSTEM)}"])
    found = json.loads(said.splitlines()[-1])
    modules = found["modules"]
    versions = ", ".join(f"{name} {version}" for name, (version, _) in modules.items())
    print(f"Debian 12: {found['percepts']} percepts of the nodes, with {versions}")
    if changed:
        return f"files of the system were changed: {changed}"
    if not modules["numpy"][1].startswith("/usr/lib/python3/dist-packages"):
        return "the system's NumPy is not the one that is used"
    return None if found["percepts"] >= 100 else "too few percepts"


def commands() -> list[str]:
    """Of the page's chapter on installation."""
    chapter = (HOUSE / "docs" / "ros.md").read_text().partition("\n## Install\n")[2].partition("\n## ")[0]
    lines = "".join(re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)).splitlines()
    return [line for line in lines if not line.startswith(LEFT_OUT)]


def prepare(root: Path) -> None:
    """Debian with what a robot's has, ROS and colcon."""
    if shutil.which("mmdebstrap") is None:
        sys.exit("make stock: not installed: mmdebstrap; on Debian or Ubuntu: sudo apt-get install mmdebstrap")
    shutil.rmtree(root, ignore_errors=True)
    options = ["--quiet", "--mode=root", "--variant=apt", f"--include={','.join(SYSTEM + BUILDING + OTHERS)}"]
    subprocess.run(["mmdebstrap", *options, "bookworm", root], check=True)
    for name in filter(lambda name: Path("/etc", name).exists(), NETWORK):
        shutil.copy(Path("/etc", name), root / "etc" / name)
    wheels = [HOUSE / "ros_nodes" / "requirements.txt", HOUSE / "ros_nodes" / "edgefuse_msgs" / "requirements.txt"]
    ours = [line for path in wheels for line in path.read_text().splitlines() if line.startswith("ros-")]
    pins = [line for line in (HOUSE / "constraints.txt").read_text().splitlines() if line.startswith("ros-")]
    (root / "tmp" / "ros.txt").write_text("\n".join([*ours, *pins]))
    shutil.copy(HERE / "ros.sh", root / "tmp")
    with entered(root):
        run(root, ["bash /tmp/ros.sh"])


def copy_source(workspace: Path) -> None:
    """A workspace that holds this repository as it is now, as a clone would."""
    shutil.rmtree(workspace, ignore_errors=True)
    listing = ["git", "-C", HOUSE, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        target = workspace / "src" / "edgefuse" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOUSE / name, target, follow_symlinks=False)


@contextmanager
def entered(root: Path) -> Iterator[None]:
    """/proc and /dev as here, with shared memory of its own, as a container has it."""
    mounts = [["--bind", "/proc", root / "proc"], ["--bind", "/dev", root / "dev"]]
    mounts.append(["-t", "tmpfs", "-o", "size=512m", "tmpfs", root / "dev" / "shm"])
    done = []
    try:
        for mount in mounts:
            subprocess.run(["mount", *mount], check=True)
            done.insert(0, mount[-1])
        yield
    finally:
        for place in done:
            subprocess.run(["umount", "--lazy", place], check=True)


def run(root: Path, lines: list[str]) -> str:
    """What it prints; its errors go to the terminal."""
    own = {"HOME": "/root", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    network = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "SSL_"))}
    command = ["chroot", root, "bash", "-e", "-c", "\n".join(lines)]
    return subprocess.run(command, check=True, env=network | own, stdout=subprocess.PIPE, text=True).stdout
