"""Whether a prompt is like those that training gave: known_prompts.json.

A network places any text somewhere among the classes that it knows, also a word that it never met. Two things give such
a prompt away: it lies far from all prompts of training, or a word of it is split into more pieces than any of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import FailFast, Field, model_validator

from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.corrections.measured import Measured, Measurement, read_measured, write_text
from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.senses.tokenizer import Reading

SCHEMA_VERSION: Final = 1
KNOWN_PROMPTS_FILE = "known_prompts.json"

_REMEDY = "export the bundle again"
_SMALLEST = 1e-6


class KnownPrompt(Measurement):
    """A prompt that training gave, and its embedding (dim,) of length 1."""

    text: str
    embedding: Annotated[tuple[Annotated[float, Field(ge=-1.01, le=1.01)], ...], FailFast(), Field(min_length=1)]


class KnownPrompts(Measurement):
    """The whole of known_prompts.json.

    The embeddings are of the bundle's own text graph.
    """

    kind: Literal["known_prompts"] = "known_prompts"
    schema_version: Literal[1] = SCHEMA_VERSION
    measured: Measured
    distance: float = Field(
        gt=0, le=2, description="1 - cosine: farther than that from every known prompt, a prompt is far from them all"
    )
    pieces: int = Field(gt=0, description="into which the tokenizer splits a word of known prompts at most")
    prompts: Annotated[tuple[KnownPrompt, ...], FailFast()] = Field(min_length=1)

    @model_validator(mode="after")
    def _of_one_size(self) -> KnownPrompts:
        if len({len(one.embedding) for one in self.prompts}) != 1:
            raise ValueError("the embeddings are of several sizes")
        return self

    def far(self, readings: Sequence[Reading], embeddings: np.ndarray) -> list[str | None]:
        """Of each prompt, read so and embedded (prompts, dim), what makes it far from all known ones; None if it is
        near."""
        distances = cosine_distances(embeddings, np.array([one.embedding for one in self.prompts], np.float32))
        return [self._why(reading, row) for reading, row in zip(readings, distances, strict=True)]

    def _why(self, reading: Reading, distances: np.ndarray) -> str | None:
        nearest = int(distances.argmin())
        why = []
        if distances[nearest] > self.distance:
            known = self.prompts[nearest].text
            why.append(f"{distances[nearest]:.2f} from the nearest, {known!r} (alike: {self.distance:.2f})")
        most = max(reading.pieces, default=0)
        if most > self.pieces:
            word = reading.words[reading.pieces.index(most)]
            why.append(f"the word {word[:30]!r} is not known, but read in {most} pieces")
        return ", ".join(why) or None


def cosine_distances(embeddings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """1 - cosine of each of (n, dim) to each of (m, dim): float32 (n, m), 0..2."""
    lengths = [np.maximum(np.linalg.norm(array, axis=1, keepdims=True), _SMALLEST) for array in (embeddings, others)]
    return np.asarray(1 - (embeddings / lengths[0]) @ (others / lengths[1]).T, np.float32)


def write_known_prompts(path: Path, known: KnownPrompts) -> None:
    """Write what `own_known_prompts` reads; raises CalibrationError."""
    write_text(path, known.model_dump_json() + "\n")


def own_known_prompts(bundle: Bundle) -> KnownPrompts | None:
    """The bundle's own; None if it has none. Raises CalibrationError for a file that does not fit it."""
    if bundle.manifest.known_prompts is None:
        return None
    path = bundle.directory / bundle.manifest.known_prompts
    known = read_measured(KnownPrompts, path, _REMEDY)
    size = len(known.prompts[0].embedding)
    if size != bundle.manifest.dim:
        dim = bundle.manifest.dim
        raise CalibrationError(f"{path}: its embeddings have {size} numbers, the bundle's {dim}; {_REMEDY}")
    return known
