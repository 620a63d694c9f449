"""What is run: samples in, percepts out, and what there is to know of them; ours is a perceiver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from edgefuse.bench.runs.run import Call, Moment, moment_from_percept
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.engines.engine import Backend
from edgefuse.runtime.perceiver import Perceiver
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.schedule import FuseOn
from edgefuse.runtime.senses.evidence import Tokens
from edgefuse.runtime.streams import Stream


class Runner(Protocol):
    """Samples in, moments out."""

    @property
    def calls(self) -> list[Call]:
        """Each run of a graph so far."""
        ...

    def perceive(self, *streams: Stream) -> Iterator[Moment]:
        """Until the streams end; may be called again."""
        ...

    def overtaken(self) -> dict[str, int]:
        """What was never encoded since newer came, by sense, in this run or the last one."""
        ...


class _WatchedPerceiver(Perceiver):
    """Notes when its graphs ran."""

    calls: list[Call]

    def encode(self, sense: str) -> Tokens | None:
        """See Perceiver."""
        tokens = super().encode(sense)
        if tokens is not None and tokens.encoded_ns > tokens.taken_ns:
            self.calls.append(Call(sense, tokens.taken_ns, tokens.encoded_ns))
        return tokens

    def fuse(self) -> Percept | None:
        """See Perceiver."""
        start_ns = time.monotonic_ns()
        percept = super().fuse()
        if percept is not None:
            self.calls.append(Call("fusion", start_ns, percept.trace.fused_ns))
        return percept


class OurRunner:
    """A perceiver of a bundle."""

    def __init__(self, bundle: Bundle, backend: Backend, fuse_on: FuseOn = "lead") -> None:
        self._perceiver = _WatchedPerceiver(bundle, fuse_on=fuse_on, backend=backend, selftest=False)
        self.calls: list[Call] = []
        self._perceiver.calls = self.calls

    def perceive(self, *streams: Stream) -> Iterator[Moment]:
        """See Runner."""
        return map(moment_from_percept, self._perceiver.perceive(*streams))

    def overtaken(self) -> dict[str, int]:
        """See Runner."""
        return {sense: counts.get("overtaken", 0) for sense, counts in self._perceiver.drops().items()}

    def drops(self) -> dict[str, dict[str, int]]:
        """See Perceiver."""
        return self._perceiver.drops()
