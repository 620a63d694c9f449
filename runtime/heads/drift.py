"""Whether the senses still meet what the network was made for: encodings against a set of usual ones, familiar.json.

How far an encoding is from the nearest centre of the set, in standard deviations of that distance within the set. One
object watched for long is near its centre, so that it is no drift; dirt on a lens or another microphone are.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import FailFast, Field, model_validator

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.corrections.measured import Measured, Measurement, read_measured, write_text
from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.senses.evidence import Tokens

SCHEMA_VERSION: Final = 1
FAMILIAR_FILE = "familiar.json"
DRIFT_WARN = 3.0
"""A drift from which on something is amiss; fresh samples of the set's own kind stay below 1."""

STRANGE = 8.0
"""An encoding that is so far from all that is usual is of something else; of the set's own kind, none is."""

_REMEDY = "export the bundle again"
_EVERY_NS = 500_000_000
_MEMORY = 100  # encodings looked at, after which an old one counts a third
_FEWEST = 10
_SMALLEST = 1e-6


Centre = Annotated[tuple[Annotated[float, Field(ge=-1.01, le=1.01)], ...], FailFast(), Field(min_length=1)]


class Centres(Measurement):
    """What one output of an encoder usually is: vectors of length 1, see `direction`.

    `centres` (clusters, dim); `distance` and `distance_sd` are of the set's own vectors from the nearest of them.
    """

    sense: str
    output: str = Field(description="of the encoder: tokens or embedding")
    samples: int = Field(gt=0)
    centres: Annotated[tuple[Centre, ...], FailFast()] = Field(min_length=1)
    distance: float = Field(ge=0, le=2)
    distance_sd: float = Field(ge=_SMALLEST, le=2)

    @model_validator(mode="after")
    def _of_one_size(self) -> Centres:
        if len({len(centre) for centre in self.centres}) != 1:
            raise ValueError("the centres are of several sizes")
        return self


class Familiar(Measurement):
    """The whole of familiar.json."""

    kind: Literal["familiar"] = "familiar"
    schema_version: Literal[1] = SCHEMA_VERSION
    measured: Measured
    outputs: tuple[Centres, ...]


class Drift:
    """The running mean of each sense's drift, of an encoding every half second at most. Thread-safe."""

    def __init__(self, familiar: Familiar) -> None:
        self._centres = {f"{one.sense}_{one.output}": one for one in familiar.outputs}
        self._scales = {name: _Scale(one) for name, one in self._centres.items()}
        self._means: dict[str, tuple[int, float]] = {}
        self._newest: dict[str, float] = {}
        self._due_ns: dict[str, int] = {}
        self._lock = threading.Lock()

    def is_strange(self, senses: Collection[str]) -> bool:
        """Whether one of these senses has just met something quite unusual."""
        return any(self._newest.get(sense, 0.0) > STRANGE for sense in senses)

    def note(self, tokens: Tokens) -> None:
        """One more encoding, in the order of their stamps; passed over soon after the last one of its sense."""
        if tokens.stamp_ns < self._due_ns.get(tokens.modality, tokens.stamp_ns):
            return
        self._due_ns[tokens.modality] = tokens.stamp_ns + _EVERY_NS
        found = self._strangeness(tokens)
        self._newest[tokens.modality] = max(found.values(), default=0.0)
        for name, strange in found.items():
            with self._lock:
                count, mean = self._means.get(name, (0, 0.0))
                count += 1
                self._means[name] = count, mean + (strange - mean) / min(count, _MEMORY)

    def drift(self) -> dict[str, float]:
        """By sense: its mean strangeness lately, of the output that shows most; 0 is as in the set. Not of a sense that
        was looked at less than 10 times."""
        with self._lock:
            found = {name: mean for name, (count, mean) in self._means.items() if count >= _FEWEST}
        by_sense: dict[str, float] = {}
        for name, mean in found.items():
            sense = self._centres[name].sense
            by_sense[sense] = max(mean, by_sense.get(sense, -np.inf))
        return by_sense

    def _strangeness(self, tokens: Tokens) -> dict[str, float]:
        """By output that the set has."""
        return {
            name: self._scales[name].strangeness(array) for name, array in tokens.arrays.items() if name in self._scales
        }


class _Scale:
    """Strangeness of one encoding: `nearest` of its `direction`, as is due for every frame, in a tenth of the time."""

    def __init__(self, usual: Centres) -> None:
        self._centres = np.array(usual.centres, np.float32)
        self._squares = 1 + (self._centres**2).sum(axis=1)
        self._usual = usual

    def strangeness(self, array: np.ndarray) -> float:
        """Of an encoder's output, batch of one."""
        vector = array.reshape(-1, array.shape[-1]).sum(axis=0, dtype=np.float32)
        length = max(math.sqrt(vector @ vector), _SMALLEST)
        squared = float((self._squares - (2 / length) * (self._centres @ vector)).min())
        return (math.sqrt(max(squared, 0.0)) - self._usual.distance) / self._usual.distance_sd


def direction(array: np.ndarray) -> np.ndarray:
    """An encoder's output (samples, tokens, dim) or (samples, dim): the mean over tokens, of length 1, float32."""
    vectors = array.astype(np.float32, copy=False)
    if vectors.ndim > 2:
        vectors = vectors.mean(axis=tuple(range(1, vectors.ndim - 1)))
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _SMALLEST))


def nearest(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The distance of each of vectors (samples, dim), of length 1, from the nearest of centres (clusters, dim)."""
    squared = 1 + (centres**2).sum(axis=1) - 2 * vectors @ centres.T
    return np.asarray(np.sqrt(np.maximum(squared, 0)).min(axis=1))


def own_familiar(bundle: Bundle) -> Familiar | None:
    """The bundle's own set; None if it has none. Raises CalibrationError for a file that does not fit it."""
    if bundle.manifest.familiar is None:
        return None
    familiar = read_familiar(bundle.directory / bundle.manifest.familiar)
    _check_sizes(familiar, bundle)
    return familiar


def read_familiar(path: Path) -> Familiar:
    """Raises CalibrationError in one line for a file that is missing or damaged."""
    return read_measured(Familiar, path, _REMEDY)


def write_familiar(path: Path, familiar: Familiar) -> None:
    """Write what `read_familiar` reads; raises CalibrationError."""
    write_text(path, familiar.model_dump_json() + "\n")


def _check_sizes(familiar: Familiar, bundle: Bundle) -> None:
    sizes: Mapping[str, Sequence[int | str]] = {
        f"{name}_{tensor.name}": tensor.shape
        for name, graph in bundle.manifest.graphs.items()
        for tensor in graph.outputs
    }
    for one in familiar.outputs:
        last = sizes.get(f"{one.sense}_{one.output}", (None,))[-1]
        if last is None or (isinstance(last, int) and last != len(one.centres[0])):
            raise CalibrationError(
                f"{bundle.directory / FAMILIAR_FILE}: the bundle's {one.sense} has no {one.output} of size "
                f"{len(one.centres[0])}; {_REMEDY}"
            )
