"""A bundle as something that predicts, so that the same code measures it and the network in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgefuse.export.errors import ExportError
from edgefuse.export.spec_predictor import Arrays, fusion_inputs, here, run_in_batches
from edgefuse.fusion.prediction import EncodedRows, Encoding
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.heads.prompts import encode_prompts
from edgefuse.runtime.senses.tokenizer import Reading, open_tokenizer, readings, token_ids


class BundlePredictor:
    """The bundle's graphs in the runtime's engines; as a SpecPredictor, and as edgefuse.fusion.prediction.Predictor."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._engines = {graph: open_engine(bundle, graph) for graph in bundle.manifest.graphs}
        self._senses = tuple(modality.name for modality in bundle.manifest.modalities)
        self._taken = tuple(tensor.name for tensor in bundle.manifest.fusion.inputs)

    def encode_sense(self, sense: str, samples: np.ndarray) -> Arrays:
        """See SpecPredictor.encode_sense."""
        if sense not in self._engines:
            return {sense: samples}
        return {f"{sense}_{name}": array for name, array in self._encoded(sense, samples).items()}

    def labels_prompts(self) -> np.ndarray | None:
        """See SpecPredictor.prompts: by the bundle's own tokenizer and text graph."""
        manifest, tokenizer = self._bundle.manifest, open_tokenizer(self._bundle)
        if manifest.naming is None or tokenizer is None:
            return None
        engine = self._engines[manifest.naming.name]
        return encode_prompts(manifest.labels, tokenizer, engine, manifest.naming).embeddings

    def read_prompts(self, texts: Sequence[str]) -> tuple[list[Reading], np.ndarray] | None:
        """How the bundle's own tokenizer reads them, and their embeddings (texts, dim); None where it takes none."""
        naming, tokenizer = self._bundle.manifest.naming, open_tokenizer(self._bundle)
        if naming is None or tokenizer is None:
            return None
        ids = token_ids(tokenizer, texts, naming.max_tokens)
        return readings(tokenizer, texts, naming.max_tokens), self._encoded(naming.name, ids)["embedding"]

    def fuse_sensed(
        self, sensed: Mapping[str, np.ndarray], present: tuple[str, ...], prompts: np.ndarray | None
    ) -> Arrays:
        """See SpecPredictor.fuse_sensed."""
        inputs = fusion_inputs(sensed, here(self._senses, present), prompts, self._taken)
        return run_in_batches(lambda rows: self._engines["fusion"].run(inputs(rows)), len(next(iter(sensed.values()))))

    def encode(self, sense: str, samples: np.ndarray) -> EncodedRows:
        """See Predictor.encode."""
        return EncodedRows(**self._encoded(sense, samples))

    def prompts(self) -> np.ndarray:
        """See Predictor.prompts; ExportError where the classes are fixed."""
        prompts = self.labels_prompts()
        if prompts is None:
            raise ExportError(f"bundle {self._bundle.manifest.name!r} takes no prompts")
        return prompts

    def fuse(self, encoded: Mapping[str, Encoding], present: tuple[str, ...], prompts: np.ndarray) -> Arrays:
        """See Predictor.fuse: all outputs of the fusion graph."""
        sensed = {f"{sense}_tokens": one.tokens for sense, one in encoded.items()}
        sensed |= {f"{sense}_embedding": one.embedding for sense, one in encoded.items()}
        return self.fuse_sensed(sensed, present, prompts)

    def _encoded(self, sense: str, samples: np.ndarray) -> Arrays:
        engine = self._engines[sense]
        (name,) = (tensor.name for tensor in engine.inputs)
        return run_in_batches(lambda rows: engine.run({name: samples[rows]}), len(samples))
