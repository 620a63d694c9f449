"""Real inputs for each graph of a bundle, as its pipeline would give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice

import numpy as np

from edgefuse.bench.load.sensors import PacedStream
from edgefuse.bench.load.workload import Workload
from edgefuse.bench.runs.runners import Runs
from edgefuse.bench.runs.whole import fusion_inputs
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import AudioModality, Manifest, SignalModality
from edgefuse.runtime.bundle.wiring import PROMPTS
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.heads.prompts import name_classes
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.inlets import Inlet, open_inlet
from edgefuse.runtime.senses.tokenizer import open_tokenizer

INPUTS = 8
"""Different ones per graph, in turn."""

Feed = Sequence[Mapping[str, np.ndarray]]


def feeds_from(bundle: Bundle, engines: Mapping[str, Engine], workload: Workload) -> dict[str, Feed]:
    """By graph; the fusion's from what these engines, one per graph, make of the senses."""
    manifest = bundle.manifest
    evidence = evidence_from(bundle, workload)
    prompts = prompts_from(bundle, engines)
    feeds: dict[str, Feed] = {
        m.name: [{m.graph.inputs[0].name: array} for array in evidence[m.name]]
        for m in manifest.modalities
        if m.graph is not None
    }
    rows = [{sense: arrays[row] for sense, arrays in evidence.items()} for row in range(INPUTS)]
    taken = {tensor.name for tensor in manifest.fusion.inputs}
    fused = fusion_feed(manifest, engines, rows, prompts)
    return feeds | {"fusion": [{name: array for name, array in one.items() if name in taken} for one in fused]}


def fusion_feed(
    manifest: Manifest,
    engines: Mapping[str, Runs],
    rows: Sequence[Mapping[str, np.ndarray]],
    prompts: np.ndarray | None,
) -> Feed:
    """All that a fusion may take, for each row of evidence, all senses present."""
    fixed = {} if prompts is None else {PROMPTS: prompts}
    return [fusion_inputs(manifest, engines, row, fixed) for row in rows]


def prompts_from(bundle: Bundle, engines: Mapping[str, Engine]) -> np.ndarray | None:
    """The embeddings of the bundle's own labels; None where its classes are fixed."""
    return name_classes(bundle.manifest, (), open_tokenizer(bundle), engines).embeddings


def evidence_from(bundle: Bundle, workload: Workload) -> dict[str, list[np.ndarray]]:
    """By sense, INPUTS arrays (1, ...) as its encoder gets them."""
    tokenizer = open_tokenizer(bundle)
    streams = workload.streams(rate_hz=1.0, seconds=0, counted_after_s=0)
    return {
        s.modality.name: list(
            islice(_evidence(s, open_inlet(s.modality, tokenizer, Drops((s.modality.name,)))), INPUTS)
        )
        for s in streams
    }


def _evidence(stream: PacedStream, inlet: Inlet) -> Iterator[np.ndarray]:
    """Of a series, from when its window has filled."""
    modality = stream.modality
    windows = 0.0
    if isinstance(modality, AudioModality | SignalModality):
        windows = modality.window_samples / modality.hop_samples
    for number in count():
        inlet.put(stream.sample(number, number), number)
        if inlet.ready():
            evidence = inlet.take()
            windows -= 1
            if windows < 0:
                yield evidence.array
