"""The stamps of ROS 2 messages."""

from __future__ import annotations

from typing import Any

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import NS_PER_S


def stamp_ns_from_header(message: Any) -> int | None:
    """When its evidence was sensed, in ROS time; None for a message without a header, or with a stamp of zero.

    Raises SampleError for a stamp that no clock shows.
    """
    header = getattr(message, "header", None)
    return None if header is None else ros_stamp_ns(header.stamp.sec, header.stamp.nanosec)


def ros_stamp_ns(seconds: int, nanoseconds: int) -> int | None:
    """A builtin_interfaces/Time [ns]; None where it is zero, SampleError where it is below, or has too many ns."""
    if seconds < 0 or nanoseconds >= NS_PER_S:
        raise SampleError(f"is stamped {seconds} s and {nanoseconds} ns, which no clock shows")
    return seconds * NS_PER_S + nanoseconds or None
