"""The fusion: the senses' tokens in, what they say together out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.bundle.wiring import PRESENT, PROMPTS
from edgefuse.runtime.encoder import check_finite
from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.heads.classes import Fused, fused_from_outputs
from edgefuse.runtime.senses.absent import absent_inputs
from edgefuse.runtime.senses.tokens import Aligned


class Fusion:
    """Runs the fusion graph over whichever senses are fit, the others masked out. Used by one thread at a time."""

    def __init__(self, manifest: Manifest, engine: Engine) -> None:
        self._engine = engine
        self._names = tuple(modality.name for modality in manifest.modalities)
        self._masks = not manifest.needed
        self._absent = absent_inputs(manifest)
        self._present: dict[tuple[str, ...], np.ndarray] = {}

    def fuse(self, aligned: Mapping[str, Aligned], prompts: np.ndarray | None) -> Fused:
        """What the senses that fit say together, with `prompts` (classes, dim) where the network takes any.

        Raises EngineError, and SampleError where it is not finite.
        """
        inputs = self._absent.copy()
        fit = tuple([name for name, one in aligned.items() if one.fit])
        for name in fit:
            self._replace_absent(inputs, aligned[name].tokens.arrays)
        if self._masks:
            inputs[PRESENT] = self._mask(fit)
        if prompts is not None:
            inputs[PROMPTS] = prompts
        outputs = self._engine.run(inputs)
        check_finite(self._said(fit, outputs), "is fused to NaN or infinity")
        return fused_from_outputs(fit, outputs)

    def _said(self, fit: tuple[str, ...], outputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """What goes into a percept: of an absent sense, and of the agreement of one, the network may say anything."""
        whole = [outputs[name] for name in ("scores", "embedding") if name in outputs]
        by_sense = [outputs[name][self._mask(fit)] for name in ("sense_scores", "weights") if name in outputs]
        return whole + by_sense + ([outputs["agreement"]] if "agreement" in outputs and len(fit) > 1 else [])

    def _replace_absent(self, inputs: dict[str, np.ndarray], sensed: Mapping[str, np.ndarray]) -> None:
        """By what was sensed, as far as the network takes it; from then on the sense is absent in that shape."""
        for name, array in sensed.items():
            if name in inputs:
                if array.shape != inputs[name].shape:
                    self._absent[name] = np.zeros_like(array)
                inputs[name] = array

    def _mask(self, fit: tuple[str, ...]) -> np.ndarray:
        if fit not in self._present:
            self._present[fit] = np.array([[name in fit for name in self._names]])
        return self._present[fit]
