"""What each graph is fed with while its quantization ranges are measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgefuse.export.examples import TaskExamples, subsets
from edgefuse.export.graphs import GraphSource
from edgefuse.fusion.prediction import Predictor


@dataclass(frozen=True, slots=True)
class Feed:
    """arrays: the graph's inputs by name, each (samples, ...); constant: those given whole with every batch."""

    arrays: dict[str, np.ndarray]
    constant: dict[str, np.ndarray] = field(default_factory=dict)


def feeds(sources: list[GraphSource], network: Predictor, examples: TaskExamples) -> dict[str, Feed]:
    """By graph: the examples themselves for each sense, what the network makes of them for the fusion."""
    by_graph = {
        source.name: Feed({source.inputs[0]: examples.samples[source.name]})
        for source in sources
        if source.name in examples.samples
    }
    return by_graph | {"fusion": fusion_feed(network, examples)}


def fusion_feed(network: Predictor, examples: TaskExamples) -> Feed:
    """Every subset of the senses in turn, absent ones included as the runtime gives them: whatever was there before."""
    arrays: dict[str, np.ndarray] = {}
    for sense, samples in examples.samples.items():
        encoded = network.encode(sense, samples)
        arrays[f"{sense}_tokens"], arrays[f"{sense}_embedding"] = encoded.tokens, encoded.embedding
    senses = tuple(examples.samples)
    masks = [[sense in subset for sense in senses] for subset in subsets(senses)]
    present = np.array([masks[index % len(masks)] for index in range(len(examples))])
    return Feed(arrays | {"present": present}, {"prompts": network.prompts()})
