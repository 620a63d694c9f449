"""The whole network anew for everything that comes, as a naive node runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgefuse.bench.runs.run import Call, Moment
from edgefuse.bench.runs.runners import Runs
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import ImageModality, Manifest, Modality
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS
from edgefuse.runtime.intake import Intake
from edgefuse.runtime.perceiver import FUTURE_TOLERANCE_MS
from edgefuse.runtime.samples import Frame, Sample
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.inlets import open_inlet
from edgefuse.runtime.senses.tokenizer import open_tokenizer
from edgefuse.runtime.streams import Stream


class WholeRunner:
    """What a naive node does: on each new frame or hop, the whole network on the newest of every sense.

    Samples wait and are counted as with us; a sense that has not come yet is zeros. `engines` by graph.
    """

    def __init__(
        self, bundle: Bundle, engines: Mapping[str, Runs], prompts: np.ndarray | None, frame: Frame | None
    ) -> None:
        manifest = bundle.manifest
        self._tokenizer = open_tokenizer(bundle)
        self.calls: list[Call] = []
        self._engines = engines
        self._manifest = manifest
        self._new = threading.Event()
        self._frame = frame
        self._begin()
        self._fixed = {} if prompts is None else {PROMPTS: prompts}

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
        return {sense: counts.get("overtaken", 0) for sense, counts in self._drops.as_dict().items()}

    def _begin(self) -> None:
        """Another run: nothing was sensed, nothing counted."""
        senses = self._manifest.modalities
        self._drops = Drops([m.name for m in senses])
        inlets = {m.name: open_inlet(m, self._tokenizer, self._drops) for m in senses}
        self._intake = Intake(inlets, self._drops, future_tolerance_ns=round(FUTURE_TOLERANCE_MS * 1e6))
        self._newest = {m.name: (0, _nothing(m, self._frame)) for m in senses}

    def _feed(self, stream: Stream) -> None:
        try:
            stream.feed(self._take)
        finally:
            self._new.set()

    def _take(self, sample: Sample) -> None:
        self._intake.put(sample, time.monotonic_ns())
        if self._intake.ready(sample.modality):
            self._new.set()

    def _turn(self) -> Moment | None:
        taken_ns = time.monotonic_ns()
        news = [e for m in self._manifest.modalities if (e := self._intake.take(m.name)) is not None]
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
