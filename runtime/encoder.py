"""An encoder: evidence of one sense in, what the fusion graph takes of it out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from edgefuse.runtime.engines.engine import Engine
from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.senses.evidence import Evidence, Tokens


def check_finite(outputs: Iterable[np.ndarray], said: str) -> None:
    """Raises SampleError, which says `said` of the sample, where a graph gave what is not finite."""
    if not all(math.isfinite(np.add.reduce(array, axis=None)) for array in outputs):
        raise SampleError(said, "not_finite")


class Encoder(Protocol):
    """Of one sense; used by one thread at a time."""

    def encode(self, evidence: Evidence, now_ns: Callable[[], int]) -> Tokens:
        """The tokens of one piece of evidence; `now_ns` stamps its trace.

        Raises EngineError, and SampleError where they are not finite.
        """
        ...


class GraphEncoder:
    """Runs the encoder graph of a sense."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._input = engine.inputs[0].name

    def encode(self, evidence: Evidence, now_ns: Callable[[], int]) -> Tokens:
        """See Encoder."""
        taken_ns = now_ns()
        outputs = self._engine.run({self._input: evidence.array})
        check_finite(outputs.values(), "is encoded as NaN or infinity")
        arrays = {f"{evidence.modality}_{output}": array for output, array in outputs.items()}
        return Tokens(evidence, arrays, taken_ns, now_ns())


class RawEncoder:
    """Passes the evidence on, for a sense that goes into the fusion graph as it was sensed."""

    def encode(self, evidence: Evidence, now_ns: Callable[[], int]) -> Tokens:
        """See Encoder."""
        taken_ns = now_ns()
        return Tokens(evidence, {evidence.modality: evidence.array}, taken_ns, taken_ns)
