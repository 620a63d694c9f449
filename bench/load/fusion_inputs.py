"""What the fusion graph is given when all senses are there, from evidence of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import numpy as np

from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS
from edgefuse.runtime.encoder import Encoder, GraphEncoder, RawEncoder
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.senses.evidence import Evidence


class FusionInputs:
    """Encodes evidence as a perceiver does, by these engines, one per graph; `prompts` are (classes, dim), if any.

    A peer's fusion may take tokens that the bundle's does not read: what counts is what the engine takes.
    """

    def __init__(self, manifest: Manifest, engines: Mapping[str, Engine], prompts: np.ndarray | None) -> None:
        self._encoders: dict[str, Encoder] = {
            sense.name: RawEncoder() if sense.graph is None else GraphEncoder(engines[sense.name])
            for sense in manifest.modalities
        }
        self._taken = [tensor.name for tensor in engines["fusion"].inputs]
        self._fixed = {PRESENT: np.ones((1, len(manifest.modalities)), bool)}
        if prompts is not None:
            self._fixed[PROMPTS] = prompts

    def encode(self, evidence: Iterable[Evidence]) -> dict[str, np.ndarray]:
        """The inputs for one piece of evidence of each sense."""
        arrays = dict(self._fixed)
        for one in evidence:
            arrays |= self._encoders[one.modality].encode(one, time.monotonic_ns).arrays
        return {name: arrays[name] for name in self._taken}
