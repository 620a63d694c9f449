"""What the network in PyTorch makes of a spec's samples: computed once, and what every bundle is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.spec import FusionSpec, subsets
from edgefuse.export.spec_predictor import Arrays, SpecPredictor
from edgefuse.export.tracing.graphs import GraphSource
from edgefuse.fusion.examples import Examples
from edgefuse.fusion.progress import Progress

Subset = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """PyTorch's results of the hold-out examples.

    sensed: what the fusion is given, by the name of its input, (examples, ...); prompts (classes, dim) or None; fused:
    the fusion's outputs for each subset of the senses that it can do with.
    """

    spec: FusionSpec
    sensed: Mapping[str, np.ndarray]
    prompts: np.ndarray | None
    fused: Mapping[Subset, Mapping[str, np.ndarray]]

    def encoded(self, sense: str) -> Arrays:
        """The outputs of one sense's encoder by name; none of a sense without one."""
        of_sense = {"tokens": f"{sense}_tokens", "embedding": f"{sense}_embedding"}
        return {name: self.sensed[key] for name, key in of_sense.items() if key in self.sensed}


def reference(spec: FusionSpec, sources: Sequence[GraphSource], progress: Progress) -> Reference:
    """Run the network on the hold-out examples; ExportError where some subset of the senses gives no numbers."""
    network = SpecPredictor(spec, sources)
    chosen = subsets_of(spec, sources)
    steps = len(spec.modalities) + len(chosen)
    sensed: Arrays = {}
    for done, modality in enumerate(spec.modalities):
        progress("reference", done, steps)
        sensed |= network.encode_sense(modality.name, spec.holdout.samples[modality.name])
    prompts, fused = network.prompts(), {}
    for done, subset in enumerate(chosen, start=len(spec.modalities)):
        progress("reference", done, steps)
        fused[subset] = network.fuse_sensed(sensed, subset, prompts)
        if not all(np.isfinite(array).all() for array in fused[subset].values()):
            senses = " and ".join(subset)
            raise ExportError(f"the fusion ({type(spec.fusion).__name__}) gives NaN or infinity with {senses} only")
    progress("reference", steps, steps)
    return Reference(spec, sensed, prompts, fused)


def all_sensed(network: SpecPredictor, examples: Examples) -> Arrays:
    """What the fusion is given of these examples, by the name of its input."""
    sensed: Arrays = {}
    for sense, samples in examples.samples.items():
        sensed |= network.encode_sense(sense, samples)
    return sensed


def subsets_of(spec: FusionSpec, sources: Sequence[GraphSource]) -> list[Subset]:
    """The subsets of the senses that the network can do with: all there are, or only the whole."""
    senses = tuple(modality.name for modality in spec.modalities)
    fusion = next(source for source in sources if source.name == "fusion")
    return subsets(senses) if "present" in fusion.inputs else [senses]


def feeds(
    sources: Sequence[GraphSource],
    models: Mapping[str, onnx.ModelProto],
    examples: Examples,
    sensed: Mapping[str, np.ndarray],
    prompts: np.ndarray | None,
) -> dict[str, Feed]:
    """What each graph is fed with, by graph: the examples themselves; for the fusion what the network makes of them.

    The fusion gets every subset of the senses in turn; what an absent one holds is whatever was there before. Encoders
    get stand-ins only where there is nothing else.
    """
    *encoders, fusion = sources
    arrays = dict(sensed)
    if "present" in fusion.inputs:
        senses = tuple(examples.samples)
        masks = [[sense in subset for sense in senses] for subset in subsets(senses)]
        arrays["present"] = np.array([masks[index % len(masks)] for index in range(len(examples))])
    by_graph = {source.name: Feed({source.inputs[0]: _real(examples, source.name)}) for source in encoders}
    by_graph["fusion"] = Feed(arrays, {} if prompts is None else {"prompts": prompts})
    return {name: feed.only(value.name for value in models[name].graph.input) for name, feed in by_graph.items()}


def _real(examples: Examples, sense: str) -> np.ndarray:
    """The samples of a sense of the examples that have it; of all if none has."""
    having = examples.having((sense,))
    return examples.samples[sense][having] if having.any() else examples.samples[sense]
