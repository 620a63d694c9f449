"""The whole network anew for everything that comes, as a naive node runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgefuse.bench.load.fusion_inputs import FusionInputs
from edgefuse.bench.runs.run import Call, Moment
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.intake import Intake
from edgefuse.runtime.perceiver import FUTURE_TOLERANCE_MS
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence
from edgefuse.runtime.senses.inlets import open_inlet
from edgefuse.runtime.senses.tokenizer import open_tokenizer
from edgefuse.runtime.streams import Stream


class WholeRunner:
    """What a naive node does: on each new frame or hop, the whole network on the newest of every sense.

    Samples wait and are counted as with us. `engines` by graph. A sense that has not come yet is zeros in the shape of
    its own `examples`.
    """

    def __init__(
        self,
        bundle: Bundle,
        engines: Mapping[str, Engine],
        prompts: np.ndarray | None,
        examples: Mapping[str, Sequence[Evidence]],
    ) -> None:
        self._tokenizer = open_tokenizer(bundle)
        self.calls: list[Call] = []
        self._fusion = engines["fusion"]
        self._fusion_inputs = FusionInputs(bundle.manifest, engines, prompts)
        self._senses = bundle.manifest.modalities
        self._new = threading.Event()
        self._absent = {sense: Evidence(sense, 0, 0, np.zeros_like(few[0].array)) for sense, few in examples.items()}
        self._begin()

    def perceive(self, *streams: Stream) -> Iterator[Moment]:
        """See Runner."""
        self._begin()
        threads = [threading.Thread(target=self._feed, args=(stream,), daemon=True) for stream in streams]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                self._new.wait()
                self._new.clear()
                moment = self._take_turn()
                if moment is not None:
                    yield moment
        finally:
            for stream in streams:
                stream.close()
            for thread in threads:
                thread.join()

    def overtaken(self) -> dict[str, int]:
        """See Runner."""
        return {sense: counts.get("overtaken", 0) for sense, counts in self._drops.as_dict().items()}

    def _begin(self) -> None:
        """Another run: nothing was sensed, nothing counted."""
        self._drops = Drops([m.name for m in self._senses])
        inlets = {m.name: open_inlet(m, self._tokenizer, self._drops) for m in self._senses}
        self._intake = Intake(inlets, self._drops, time.monotonic_ns, round(FUTURE_TOLERANCE_MS * 1e6))
        self._newest = dict(self._absent)

    def _feed(self, stream: Stream) -> None:
        try:
            stream.feed(self._take)
        finally:
            self._new.set()

    def _take(self, sample: Sample) -> None:
        self._intake.put(sample)
        if self._intake.ready(sample.modality):
            self._new.set()

    def _take_turn(self) -> Moment | None:
        taken_ns = time.monotonic_ns()
        news = [e for m in self._senses if (e := self._intake.take(m.name)) is not None]
        if not news:
            return None
        self._newest |= {evidence.modality: evidence for evidence in news}
        self._fusion.run(self._fusion_inputs.encode(self._newest.values()))
        done_ns = time.monotonic_ns()
        self.calls.append(Call("whole network", taken_ns, done_ns))
        newest = max(news, key=lambda evidence: evidence.stamp_ns)
        stages_ms = {"wait": (taken_ns - newest.stamp_ns) / 1e6, "network": (done_ns - taken_ns) / 1e6}
        evidence_ns = {sense: one.stamp_ns for sense, one in self._newest.items() if one.stamp_ns}
        return Moment(newest.stamp_ns, done_ns, evidence_ns, stages_ms)
