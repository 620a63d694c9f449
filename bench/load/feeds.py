"""Real inputs for each graph of a bundle, as its pipeline would give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice

import numpy as np

from edgefuse.bench.load.fusion_inputs import FusionInputs
from edgefuse.bench.load.sensors import PacedStream
from edgefuse.bench.load.workload import Workload
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import AudioModality, Manifest, SignalModality
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.heads.prompts import name_classes
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Evidence
from edgefuse.runtime.senses.inlets import Inlet, open_inlet
from edgefuse.runtime.senses.tokenizer import open_tokenizer

INPUTS = 8
"""Different ones per graph, in turn."""

Feed = Sequence[Mapping[str, np.ndarray]]


def feeds_from(bundle: Bundle, engines: Mapping[str, Engine], workload: Workload) -> dict[str, Feed]:
    """By graph; the fusion's from what these engines, one per graph, make of the senses."""
    manifest = bundle.manifest
    evidence = evidence_from(bundle, workload)
    feeds: dict[str, Feed] = {
        m.name: [{m.graph.inputs[0].name: one.array} for one in evidence[m.name]]
        for m in manifest.modalities
        if m.graph is not None
    }
    return feeds | {"fusion": fusion_feed(manifest, engines, evidence, prompts_from(bundle, engines))}


def fusion_feed(
    manifest: Manifest,
    engines: Mapping[str, Engine],
    evidence: Mapping[str, Sequence[Evidence]],
    prompts: np.ndarray | None,
) -> Feed:
    """What the fusion of these engines takes, for each row of evidence, all senses present."""
    inputs = FusionInputs(manifest, engines, prompts)
    return [inputs.encode(row) for row in zip(*evidence.values(), strict=True)]


def prompts_from(bundle: Bundle, engines: Mapping[str, Engine]) -> np.ndarray | None:
    """The embeddings of the bundle's own labels; None where its classes are fixed."""
    return name_classes(bundle.manifest, (), open_tokenizer(bundle), engines).embeddings


def evidence_from(bundle: Bundle, workload: Workload) -> dict[str, list[Evidence]]:
    """By sense, INPUTS pieces as its encoder gets them."""
    tokenizer = open_tokenizer(bundle)
    streams = workload.streams(rate_hz=1.0, seconds=0, counted_after_s=0)
    return {
        s.sense.name: list(islice(_take_evidence(s, open_inlet(s.sense, tokenizer, Drops((s.sense.name,)))), INPUTS))
        for s in streams
    }


def _take_evidence(stream: PacedStream, inlet: Inlet) -> Iterator[Evidence]:
    """Of a series, from when its window has filled."""
    sense = stream.sense
    windows = 0.0
    if isinstance(sense, AudioModality | SignalModality):
        windows = sense.window_samples / sense.hop_samples
    for number in count():
        inlet.put(stream.sample(number, number), number)
        if inlet.ready():
            evidence = inlet.take()
            windows -= 1
            if windows < 0:
                yield evidence
