"""An encoder: one sense's graph, evidence in, tokens out."""

from __future__ import annotations

from collections.abc import Callable

from edgefuse.runtime.engine import Engine
from edgefuse.runtime.evidence import Evidence, Tokens
from edgefuse.runtime.manifest import Modality


class Encoder:
    """Runs the encoder graph of one sense. Used by one thread at a time."""

    def __init__(self, modality: Modality, engine: Engine) -> None:
        self.engine = engine
        self._input = modality.graph.inputs[0].name
        self._tokens, self._embedding = (tensor.name for tensor in modality.graph.outputs)

    def encode(self, evidence: Evidence, now_ns: Callable[[], int]) -> Tokens:
        """The tokens of one piece of evidence; `now_ns` stamps its trace. Raises EngineError."""
        taken_ns = now_ns()
        outputs = self.engine.run({self._input: evidence.array})
        return Tokens(evidence, outputs[self._tokens], outputs[self._embedding], taken_ns, now_ns())
