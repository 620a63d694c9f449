"""What is to be measured, and how thoroughly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgefuse.export.spec import FusionSpec

Peer = Literal["torch", "torch-compile", "ort", "openvino"]
"""Another way to run the network of a bundle."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Of how many calls a graph is measured, and after how long it is enough [s]; at least two blocks are called."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured; times in seconds."""

    engines: Effort
    rounds: int
    round_s: float
    overhead_s: float
    search_s: float
    search_steps: int
    overload_rounds: int
    idle_s: float
    starts: int
    ros_rounds: int
    ros_s: float


THOROUGH = Extent(
    engines=Effort(calls=1000, seconds=60.0),
    rounds=5,
    round_s=6.0,
    overhead_s=20.0,
    search_s=3.0,
    search_steps=7,
    overload_rounds=3,
    idle_s=10.0,
    starts=5,
    ros_rounds=3,
    ros_s=10.0,
)
"""Minutes, for figures to be relied on."""

QUICK = Extent(
    engines=Effort(calls=100, seconds=1.0),
    rounds=3,
    round_s=1.0,
    overhead_s=2.0,
    search_s=0.4,
    search_steps=3,
    overload_rounds=1,
    idle_s=1.0,
    starts=1,
    ros_rounds=1,
    ros_s=3.0,
)
"""Seconds, with a wider spread."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured: the peers of the first variant's bundle need the `network` that it was made from.

    `source` is a file; `checkpoint` is what the user called the network, `network` opens it when its turn comes;
    `ros`: across ROS nodes as well.
    """

    source: str
    rate_hz: float
    extent: Extent = THOROUGH
    peers: Sequence[Peer] = ()
    checkpoint: str | None = None
    network: Callable[[], FusionSpec] | None = None
    ros: bool = False
