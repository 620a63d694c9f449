"""A bundle as something that predicts, so that the same code measures it and the network in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tokenizers import Tokenizer

from edgefuse.fusion.prediction import EncodedRows, Encoding
from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.manifest import TextModality
from edgefuse.runtime.prompts import encode_prompts

BATCH = 64

Arrays = dict[str, np.ndarray]


class BundlePredictor:
    """The bundle's graphs in the runtime's engines; an edgefuse.fusion.prediction.Predictor."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._engines = {graph: bundle.engine(graph) for graph in bundle.manifest.graphs}
        self._senses = tuple(modality.name for modality in bundle.manifest.modalities)

    def encode(self, sense: str, samples: np.ndarray) -> EncodedRows:
        """See Predictor.encode."""
        engine = self._engines[sense]
        (name,) = (tensor.name for tensor in engine.inputs)
        return EncodedRows(**_batched(lambda rows: engine.run({name: samples[rows]}), len(samples)))

    def prompts(self) -> np.ndarray:
        """See Predictor.prompts: by the bundle's own tokenizer and text graph."""
        manifest = self._bundle.manifest
        modality = next(one for one in manifest.modalities if isinstance(one, TextModality))
        tokenizer = Tokenizer.from_file(str(self._bundle.directory / str(manifest.tokenizer)))
        return encode_prompts(manifest.labels, tokenizer, self._engines[modality.name], modality).embeddings

    def fuse(self, encoded: Mapping[str, Encoding], present: tuple[str, ...], prompts: np.ndarray) -> Arrays:
        """See Predictor.fuse: all outputs of the fusion graph."""
        here = np.array([[sense in present for sense in self._senses]])

        def run(rows: slice) -> Arrays:
            inputs = {f"{sense}_tokens": encoded[sense].tokens[rows] for sense in self._senses}
            inputs |= {f"{sense}_embedding": encoded[sense].embedding[rows] for sense in self._senses}
            count = len(next(iter(inputs.values())))
            return self._engines["fusion"].run(inputs | {"present": here.repeat(count, axis=0), "prompts": prompts})

        return _batched(run, len(encoded[self._senses[0]].tokens))


def _batched(run: Callable[[slice], Arrays], count: int) -> Arrays:
    parts = [run(slice(first, first + BATCH)) for first in range(0, count, BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
