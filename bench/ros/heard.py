"""What one round on ROS gave, as its process hands it to bench."""

from __future__ import annotations

from edgefuse.bench.report.result import NodeCost
from edgefuse.runtime.bundle.verification import Strict


class HeardPercept(Strict):
    """One percept; times on ROS' clock [ns], ages by sense of those that took part, and the parts of its latency."""

    stamp_ns: int
    heard_ns: int
    ages_ms: dict[str, float]
    stages_ms: dict[str, float]


class HeardRound(Strict):
    """All of a round, after its warm-up; `dropped` by sense and reason."""

    seconds: float
    percepts: tuple[HeardPercept, ...]
    nodes: dict[str, NodeCost]
    dropped: dict[str, int]
