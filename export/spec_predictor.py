"""A spec's network in PyTorch as something that predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgefuse.export.spec import FusionSpec
from edgefuse.export.tracing.graphs import GraphSource, prompt_embeddings

BATCH = 32

Arrays = dict[str, np.ndarray]


class SpecPredictor:
    """The modules of a spec, as they are traced."""

    def __init__(self, spec: FusionSpec, sources: Sequence[GraphSource]) -> None:
        self._spec = spec
        self._encoders = {source.name: source for source in sources if source.name != "fusion"}
        self._fusion = next(source for source in sources if source.name == "fusion")
        self._senses = tuple(modality.name for modality in spec.modalities)

    def encode_sense(self, sense: str, samples: np.ndarray) -> Arrays:
        """What the fusion is given of one sense's samples: its tokens and embedding, or the samples themselves."""
        if sense not in self._encoders:
            return {sense: samples}
        source = self._encoders[sense]
        outputs = run_in_batches(lambda rows: source.run({source.inputs[0]: samples[rows]}), len(samples))
        return {f"{sense}_{name}": array for name, array in outputs.items()}

    def prompts(self) -> np.ndarray | None:
        """The embeddings of the labels' prompts (classes, dim); None where the classes are fixed."""
        if "prompts" not in self._fusion.inputs:
            return None
        return prompt_embeddings(self._spec, list(self._encoders.values()))

    def fuse_sensed(
        self, sensed: Mapping[str, np.ndarray], present: tuple[str, ...], prompts: np.ndarray | None
    ) -> Arrays:
        """The fusion's outputs by name, each (samples, ...), of the senses in `present`."""
        inputs = fusion_inputs(sensed, here(self._senses, present), prompts, self._fusion.inputs)
        return run_in_batches(lambda rows: self._fusion.run(inputs(rows)), len(next(iter(sensed.values()))))


def here(senses: tuple[str, ...], present: tuple[str, ...]) -> np.ndarray:
    """Which senses are present, bool (1, senses)."""
    return np.array([[sense in present for sense in senses]])


def fusion_inputs(
    sensed: Mapping[str, np.ndarray], here: np.ndarray, prompts: np.ndarray | None, taken: Sequence[str]
) -> Callable[[slice], Arrays]:
    """The inputs `taken` by a fusion, as a function of which samples."""

    def inputs(rows: slice) -> Arrays:
        arrays = {name: array[rows] for name, array in sensed.items()}
        arrays["present"] = here.repeat(len(next(iter(arrays.values()))), axis=0)
        if prompts is not None:
            arrays["prompts"] = prompts
        return {name: arrays[name] for name in taken}

    return inputs


def run_in_batches(run: Callable[[slice], Arrays], count: int) -> Arrays:
    """`run` on all samples, a batch at a time."""
    parts = [run(slice(first, first + BATCH)) for first in range(0, count, BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
