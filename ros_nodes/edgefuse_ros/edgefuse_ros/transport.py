"""How Fast DDS carries images from a process to others on its computer.

What a process publishes lies in a shared-memory segment of its own, of 512 KB unless a profile says otherwise: too
small for an image of 640 x 480, so that nearly all that are sent best effort are lost. Only who publishes images needs
a larger one; who receives them reads there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROFILE: Final = Path(__file__).with_name("images.fastdds.xml")
# Where Fast DDS finds a profile: 2, of the package fastrtps (humble, jazzy), and 3, of the package fastdds (kilted).
_PROFILE_VARIABLES = {"fastrtps": "FASTRTPS_DEFAULT_PROFILES_FILE", "fastdds": "FASTDDS_DEFAULT_PROFILES_FILE"}
_PROFILES_HERE = ("DEFAULT_FASTRTPS_PROFILES.xml", "DEFAULT_FASTDDS_PROFILES.xml")
_SHARED_MEMORY = "/dev/shm"
_NEEDED_BYTES = 24 << 20  # the segment, Fast DDS's own records beside it, and what the other nodes need


def prepare_for_images() -> None:
    """Let this process publish images; to be called before rclpy.init."""
    os.environ.update(environment_for_images(os.environ))


def environment_for_images(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment of a process that publishes images: nothing where the user has chosen anything.

    Nothing, and a line on stderr, where there is not enough shared memory, which Fast DDS would fail at.
    """
    if _is_chosen(environment) or not _is_room():
        return {}
    return {_PROFILE_VARIABLES[_package(environment)]: str(PROFILE)}


def _is_chosen(environment: Mapping[str, str]) -> bool:
    """Whether the user has said how Fast DDS transports, or uses another middleware."""
    if not environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps").startswith("rmw_fastrtps"):
        return True
    if any(environment.get(name) for name in (*_PROFILE_VARIABLES.values(), "FASTDDS_BUILTIN_TRANSPORTS")):
        return True
    return environment.get("SKIP_DEFAULT_XML_FILE") != "1" and any(map(os.path.exists, _PROFILES_HERE))


def _package(environment: Mapping[str, str]) -> str:
    """Fast DDS's, of the version that is installed: each complains about, or overlooks, the variable of the other."""
    prefixes = [*environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    found = (name for prefix in prefixes for name in _PROFILE_VARIABLES if (Path(prefix) / "share" / name).is_dir())
    return next(found, "fastdds")


def _is_room() -> bool:
    try:
        shared = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return False
    free_bytes = shared.f_bavail * shared.f_frsize
    if free_bytes < _NEEDED_BYTES:
        print(
            f"edgefuse_ros: {_SHARED_MEMORY} has {free_bytes >> 20} MB free, and images between processes need "
            f"{_NEEDED_BYTES >> 20}: many will be lost. For a container: docker run --shm-size=256m",
            file=sys.stderr,
        )
    return free_bytes >= _NEEDED_BYTES
