"""Runs, runners and engines written by hand, so that what is made of them can be told beforehand."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgefuse.bench.runs.paced import PacedRun
from edgefuse.bench.runs.run import Call, Moment
from edgefuse.runtime.bundle.manifest import TensorSpec
from edgefuse.runtime.streams import Stream

MS = 1_000_000


def moment(stamp_ms: float, latency_ms: float = 3.0, **evidence_ms: float) -> Moment:
    """A percept that took a third of its time to be received and the rest to be fused."""
    stamp_ns = round(stamp_ms * MS)
    return Moment(
        stamp_ns=stamp_ns,
        published_ns=stamp_ns + round(latency_ms * MS),
        evidence_ns={sense: round(at * MS) for sense, at in evidence_ms.items()},
        stages_ms={"receive": latency_ms / 3, "fuse": 2 * latency_ms / 3},
    )


def paced_run(moments: Sequence[Moment], seconds: float = 1.0, cpu_s: float = 0.1, **changed: Any) -> PacedRun:
    """In which nothing was lost, unless that is changed."""
    fields: dict[str, Any] = {"calls": (), "start_ns": 0, "overtaken": {}, "offered": {}} | changed
    return PacedRun(moments=moments, seconds=seconds, cpu_s=cpu_s, **fields)


class FrameRunner:
    """Perceives each frame that comes at once, by itself, taking so long; frames that came meanwhile are overtaken."""

    def __init__(self, takes_s: float = 0.0, sense: str = "image") -> None:
        self.calls: list[Call] = []
        self._takes_s = takes_s
        self._sense = sense
        self._overtaken = 0

    def perceive(self, *streams: Stream) -> Iterator[Moment]:
        (stream,) = [one for one in streams if one.sense.name == self._sense]
        free_ns = 0
        for sample in stream:
            if sample.stamp_ns < free_ns:
                self._overtaken += 1
                continue
            start_ns = time.monotonic_ns()
            free_ns = sample.stamp_ns + round(self._takes_s * 1e9)
            self.calls.append(Call("fusion", start_ns, start_ns + 1))
            now_ns = time.monotonic_ns()
            yield Moment(
                sample.stamp_ns, now_ns, {self._sense: sample.stamp_ns}, {"wait": (now_ns - sample.stamp_ns) / 1e6}
            )

    def overtaken(self) -> dict[str, int]:
        return {self._sense: self._overtaken}

    def drops(self) -> dict[str, dict[str, int]]:
        return {self._sense: {"overtaken": self._overtaken}}


class NotedEngine:
    """Gives the same outputs each time, and keeps what it was given."""

    def __init__(self, inputs: Sequence[str], outputs: Mapping[str, np.ndarray]) -> None:
        self.backend = "by hand"
        self.inputs = tuple(TensorSpec(name=name, dtype="float32", shape=(1,)) for name in inputs)
        self.outputs = tuple(TensorSpec(name=name, dtype="float32", shape=(1,)) for name in outputs)
        self.given: list[dict[str, np.ndarray]] = []
        self._gives = dict(outputs)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.given.append(dict(inputs))
        return self._gives
