"""What is run with paced samples: our perceiver, or a whole network anew for everything that comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgefuse.runtime.aligner import Aligner
from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.engines.engine import Backend
from edgefuse.runtime.evidence import Tokens
from edgefuse.runtime.inlets import open_inlet
from edgefuse.runtime.manifest import ImageModality, Manifest, Modality
from edgefuse.runtime.perceiver import FuseOn, Perceiver
from edgefuse.runtime.percept import Percept
from edgefuse.runtime.prompts import open_tokenizer
from edgefuse.runtime.samples import Frame
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.wiring import PRESENT, PROMPTS


@dataclass(frozen=True, slots=True)
class Moment:
    """A percept as far as time goes: what called for it, when it was out, and the evidence behind it [ns]."""

    stamp_ns: int
    published_ns: int
    evidence_ns: Mapping[str, int]
    stages_ms: Mapping[str, float]

    @property
    def latency_ms(self) -> float:
        """From sensed to published."""
        return (self.published_ns - self.stamp_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Call:
    """A graph that ran from `start_ns` to `end_ns`."""

    graph: str
    start_ns: int
    end_ns: int


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
        """What was never encoded since newer came, by sense, so far."""
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
        self.backends = self._perceiver.backends

    def perceive(self, *streams: Stream) -> Iterator[Moment]:
        """See Runner."""
        return map(moment_from_percept, self._perceiver.perceive(*streams))

    def overtaken(self) -> dict[str, int]:
        """See Runner."""
        return {sense: counts.get("overtaken", 0) for sense, counts in self._perceiver.drops().items()}


def moment_from_percept(percept: Percept) -> Moment:
    """Of the senses that took part."""
    ages_ms = {name: sense.age_ms for name, sense in percept.senses.items() if sense.valid}
    evidence_ns = {name: percept.stamp_ns - round(age * 1e6) for name, age in ages_ms.items() if age is not None}
    trace = percept.trace
    return Moment(percept.stamp_ns, trace.published_ns, evidence_ns, trace.stages_ms)


class Runs(Protocol):
    """As much of an engine as it takes to run one; inputs that its graph lacks are passed over."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]: ...


class WholeRunner:
    """What a naive node does: on each new frame or hop, the whole network on the newest of every sense.

    Samples wait and are counted as with us; a sense that has not come yet is zeros. `engines` by graph.
    """

    def __init__(
        self, bundle: Bundle, engines: Mapping[str, Runs], prompts: np.ndarray | None, frame: Frame | None
    ) -> None:
        manifest = bundle.manifest
        tokenizer = open_tokenizer(bundle)
        self.calls: list[Call] = []
        self._engines = engines
        self._manifest = manifest
        self._new = threading.Event()
        self._aligner = Aligner({m.name: open_inlet(m, tokenizer) for m in manifest.modalities}, time.monotonic_ns)
        self._newest = {m.name: (0, _nothing(m, frame)) for m in manifest.modalities}
        self._fixed = {} if prompts is None else {PROMPTS: prompts}

    def perceive(self, *streams: Stream) -> Iterator[Moment]:
        """See Runner."""
        threads = [threading.Thread(target=self._feed, args=(stream,), daemon=True) for stream in streams]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                self._new.wait()
                self._new.clear()
                moment = self._turn()
                if moment is not None:
                    yield moment
        finally:
            for stream in streams:
                stream.close()
            for thread in threads:
                thread.join()

    def overtaken(self) -> dict[str, int]:
        """See Runner."""
        return {sense: counts.get("overtaken", 0) for sense, counts in self._aligner.drops().items()}

    def _feed(self, stream: Stream) -> None:
        try:
            for sample in stream:
                self._aligner.put(sample, time.monotonic_ns())
                if self._aligner.ready(sample.modality):
                    self._new.set()
        finally:
            self._new.set()

    def _turn(self) -> Moment | None:
        taken_ns = time.monotonic_ns()
        news = [e for m in self._manifest.modalities if (e := self._aligner.take(m.name)) is not None]
        if not news:
            return None
        self._newest |= {evidence.modality: (evidence.stamp_ns, evidence.array) for evidence in news}
        whole_network(
            self._manifest, self._engines, {name: array for name, (_, array) in self._newest.items()}, self._fixed
        )
        done_ns = time.monotonic_ns()
        self.calls.append(Call("whole network", taken_ns, done_ns))
        newest = max(news, key=lambda evidence: evidence.stamp_ns)
        stages_ms = {"wait": (taken_ns - newest.stamp_ns) / 1e6, "network": (done_ns - taken_ns) / 1e6}
        return Moment(newest.stamp_ns, done_ns, {name: ns for name, (ns, _) in self._newest.items() if ns}, stages_ms)


def whole_network(
    manifest: Manifest, engines: Mapping[str, Runs], sensed: Mapping[str, np.ndarray], fixed: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    """Every encoder on what its sense sensed (1, ...), then the fusion; its outputs."""
    return engines["fusion"].run(fusion_inputs(manifest, engines, sensed, fixed))


def fusion_inputs(
    manifest: Manifest, engines: Mapping[str, Runs], sensed: Mapping[str, np.ndarray], fixed: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the fusion is given when all senses are there."""
    inputs = {PRESENT: np.ones((1, len(manifest.modalities)), bool), **fixed}
    for modality in manifest.modalities:
        array = sensed[modality.name]
        if modality.graph is None:
            inputs[modality.name] = array
        else:
            outputs = engines[modality.name].run({modality.graph.inputs[0].name: array})
            inputs |= {f"{modality.name}_{output}": value for output, value in outputs.items()}
    return inputs


def _nothing(modality: Modality, frame: Frame | None) -> np.ndarray:
    """Zeros as a sense that has sensed nothing is given."""
    if isinstance(modality, ImageModality):
        return np.zeros((1, 224, 224, 3) if frame is None else (1, *frame.image.shape), np.uint8)
    if modality.kind == "text":
        return np.zeros((1, modality.max_tokens), np.int64)
    channels: Sequence[int] = () if modality.kind == "audio" else (modality.channels,)
    return np.zeros((1, modality.window_samples, *channels), np.float32)
