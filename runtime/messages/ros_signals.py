"""ROS 2 messages as signals: edgefuse_msgs/Signal, and numbers picked from messages of any type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.samples import Signal

_LEAST_HZ = 0.001
_MOST_HZ = 1e6


def signal_from_message(message: Any, stamp_ns: int, sense: str) -> Signal:
    """An edgefuse_msgs/Signal; raises SampleError for numbers that are no whole vectors, or a rate that cannot be."""
    channels, rate_hz, numbers = message.channels, message.sample_rate, len(message.data)
    if channels < 1 or numbers % channels:
        raise SampleError(f"holds {numbers} numbers, which are no whole number of {channels} channels")
    if not _LEAST_HZ <= rate_hz <= _MOST_HZ:
        raise SampleError(f"says that its rate is {rate_hz} Hz, expected {_LEAST_HZ} to {_MOST_HZ:.0f}")
    values = np.asarray(message.data, np.float32).reshape(-1, channels)
    return Signal(stamp_ns, values, rate_hz, message.index, sense)


def signal_from_fields(
    message: Any, fields: Sequence[str], stamp_ns: int, rate_hz: float, index: int, sense: str
) -> Signal:
    """One vector of a signal, its numbers picked by the paths of their fields ("wrench.force.x", "position.0").

    Raises SampleError for a message that lacks one of them.
    """
    try:
        values = [float(_field(message, path)) for path in fields]
    except (AttributeError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise SampleError(f"lacks a number that is mapped: {error}") from error
    return Signal(stamp_ns, np.array([values], np.float32), rate_hz, index, sense)


def _field(message: Any, path: str) -> Any:
    value = message
    for part in path.split("."):
        value = value[int(part)] if part.isdigit() else getattr(value, part)
    return value
