"""Why messages get lost between a driver and a node, in words that say what to do."""

from __future__ import annotations

from typing import Final

import rclpy
from rclpy.node import Node

from edgefuse_ros.transport import PROFILE

_FAST_DDS: Final = "rmw_fastrtps"
_SHARED_MEMORY_BYTES: Final = 512 * 1024  # that Fast DDS gives a process, unless a profile says otherwise
_LARGEST_BYTES: Final = 8 * 1024 * 1024  # of which the segment of PROFILE holds two


def why_lost(node: Node, topic: str, size_bytes: int) -> str:
    """What is likely, for messages of this size on `topic`; 0: none has come so far."""
    drivers = sorted({end.node_name for end in node.get_publishers_info_by_topic(topic)})
    size = f"of {size_bytes / 1e6:.1f} MB " if size_bytes else ""
    lost = f"messages {size}on {topic} from {' and '.join(drivers) or 'nobody'} get lost"
    if 0 < size_bytes < _SHARED_MEMORY_BYTES or not rclpy.get_rmw_implementation_identifier().startswith(_FAST_DDS):
        return f"{lost}: the network or this computer is too slow for them"
    if size_bytes > _LARGEST_BYTES:
        return f"{lost}: Fast DDS wants a profile with a segment_size of {2 * size_bytes}, or compressed images"
    return (
        f"{lost}: Fast DDS's shared memory of 0.5 MB does not hold one. Start the driver with "
        f"FASTDDS_DEFAULT_PROFILES_FILE={PROFILE} (jazzy and older: FASTRTPS_DEFAULT_PROFILES_FILE); on another "
        "computer, let it compress them, and set image_transport:=compressed here"
    )
