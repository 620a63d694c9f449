"""The stamps of ROS 2 messages."""

from __future__ import annotations

from typing import Any

from edgefuse.runtime.samples import NS_PER_S


def stamp_ns_from_header(message: Any) -> int | None:
    """When its evidence was sensed, in ROS time; None for a message without a header, or with a stamp of zero."""
    header = getattr(message, "header", None)
    if header is None:
        return None
    stamp_ns: int = header.stamp.sec * NS_PER_S + header.stamp.nanosec
    return stamp_ns or None
