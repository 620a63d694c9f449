"""A set of real samples that quantization ranges are measured on, collected from whatever a robot senses."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field

from edgefuse.calibration.clusters import choose_balanced, unit
from edgefuse.runtime import Bundle, Perceiver, Percept
from edgefuse.runtime.bundle.manifest import TextModality
from edgefuse.runtime.corrections.measured import BY, Measured, Measurement, validate
from edgefuse.runtime.errors import CalibrationError, FileError
from edgefuse.runtime.files.arrays import read_arrays
from edgefuse.runtime.files.documents import parse_json
from edgefuse.runtime.files.limits import SAMPLE_BYTES
from edgefuse.runtime.files.whole_file import write_whole
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.senses.tokenizer import open_tokenizer, token_ids

SCHEMA_VERSION: Final = 1
FEWEST_SAMPLES = 32
MOST_BYTES = 512_000_000
"""Of samples that are held while more are collected; then a random one gives way."""

_HEADER = "header"
_REMEDY = "collect it again with `edgefuse calibrate quantization`"
_ALIKE_IN_A_ROW = 0.9995


class CollectionHeader(Measurement):
    """What a set says of itself."""

    kind: Literal["quantization"] = "quantization"
    schema_version: Literal[1] = SCHEMA_VERSION
    measured: Measured
    bundle: str = Field(description="name of the bundle whose encoders told the samples apart")
    samples: int = Field(gt=0)
    collected: int = Field(gt=0, description="of which they were chosen")
    duplicates: int = Field(ge=0, description="of those, nearly the same as another")
    clusters: tuple[int, ...] = Field(description="how many samples of each cluster there are")


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """The samples (samples, ...) of each sense, in step, as its encoder takes them."""

    header: CollectionHeader
    samples: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Moment:
    """What every sense sensed at one time, without a batch: its evidence, and the vector its encoder makes of it."""

    evidence: Mapping[str, np.ndarray]
    vectors: Mapping[str, np.ndarray]


def collect(
    perceiver: Perceiver,
    percepts: Iterable[Percept],
    most: int,
    progress: Callable[[int], None] = lambda count: None,
    seed: int = 0,
) -> list[Moment]:
    """A moment per percept in which all senses that were heard at all are valid, unless it is nearly the one before.

    At most `most`, each with the same chance, and no more than MOST_BYTES hold. `percepts` are the perceiver's own.
    """
    rng = np.random.default_rng(seed)
    kept: list[Moment] = []
    before: Moment | None = None
    seen = 0
    for percept in percepts:
        moment = _moment(perceiver, percept)
        if moment is None or (before is not None and _alike(moment, before)):
            continue
        if kept and _shapes(moment) != _shapes(kept[0]):
            if len(moment.evidence) <= len(kept[0].evidence):
                continue
            kept, seen = [], 0  # a sense came to be heard: what is held lacks it
        before, seen = moment, seen + 1
        room = min(most, max(FEWEST_SAMPLES, MOST_BYTES // sum(one.nbytes for one in moment.evidence.values())))
        if len(kept) < room:
            kept.append(moment)
        elif (place := int(rng.integers(seen))) < room:
            kept[place] = moment
        progress(len(kept))
    return kept


def lasting(percepts: Iterable[Percept], seconds: float) -> Iterator[Percept]:
    """The percepts of the first so many seconds."""
    first_ns: int | None = None
    for percept in percepts:
        first_ns = percept.stamp_ns if first_ns is None else first_ns
        if percept.stamp_ns - first_ns >= seconds * NS_PER_S:
            return
        yield percept


def samples_of(moments: list[Moment], perceiver: Perceiver) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The samples by sense, and the vectors of those that are encoded, each (moments, ...).

    A text sense that was never heard is given the bundle's own prompts in turn. Raises CalibrationError for any other
    that was not, and where there are too few.
    """
    if len(moments) < FEWEST_SAMPLES:
        raise CalibrationError(f"{len(moments)} moments that differ, {FEWEST_SAMPLES} at least: show and say more")
    samples = {sense: np.stack([one.evidence[sense] for one in moments]) for sense in moments[0].evidence}
    vectors = {sense: np.stack([one.vectors[sense] for one in moments]) for sense in moments[0].vectors}
    for modality in perceiver.bundle.manifest.modalities:
        if modality.name in samples:
            continue
        if modality.kind != "text":
            raise CalibrationError(f"nothing of {modality.name} was sensed; the set needs every sense of the bundle")
        prompts = _prompt_ids(perceiver.bundle, modality)
        samples[modality.name] = prompts[np.arange(len(moments)) % len(prompts)]
    return samples, vectors


def choose(
    samples: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    count: int,
    bundle: str,
    how: str,
    at: str | None = None,
) -> Collection:
    """`count` of the samples that cover what there is: clusters of what the senses say together, equally often.

    vectors (samples, dim) by sense, those that are encoded. Raises CalibrationError where too few differ.
    """
    joint = np.concatenate([unit(one) for one in vectors.values()], axis=1)
    chosen = choose_balanced(joint, count)
    rows = chosen.rows
    if len(rows) < FEWEST_SAMPLES:
        raise CalibrationError(f"only {len(rows)} of {len(joint)} samples differ, {FEWEST_SAMPLES} at least: vary them")
    header = CollectionHeader(
        measured=Measured(at=at or datetime.now(timezone.utc).isoformat(timespec="seconds"), by=BY, how=how),
        bundle=bundle,
        samples=len(rows),
        collected=len(joint),
        duplicates=chosen.duplicates,
        clusters=chosen.clusters,
    )
    return Collection(header, {sense: array[rows] for sense, array in samples.items()})


def write_collection(path: Path, collection: Collection) -> None:
    """Write what `read_collection` reads, beside and renamed; raises CalibrationError."""
    header, content = np.array(collection.header.model_dump_json()), io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **{_HEADER: header}, **collection.samples)
    try:
        write_whole(path, content.getvalue())
    except OSError as error:
        raise CalibrationError(f"{path} cannot be written: {error.strerror}") from error


def read_collection(path: Path) -> Collection:
    """Raises CalibrationError in one line for a file that is missing, damaged or of another kind."""
    try:
        arrays = read_arrays(path, limit=SAMPLE_BYTES)
        values = parse_json(str(arrays.pop(_HEADER)), f"the header of {path}")
    except FileError as error:
        raise CalibrationError(f"{error}; {_REMEDY}") from error
    except KeyError as error:
        raise CalibrationError(f"{path} is no set of samples; {_REMEDY}") from error
    header = validate(CollectionHeader, values, path, _REMEDY)
    if not arrays or {array.shape[:1] for array in arrays.values()} != {(header.samples,)}:
        raise CalibrationError(f"{path} does not hold {header.samples} samples of each sense; {_REMEDY}")
    return Collection(header, arrays)


def _moment(perceiver: Perceiver, percept: Percept) -> Moment | None:
    """None while a sense that was heard before is not valid; but of a text, the last one counts."""
    heard = [sense for sense, part in percept.senses.items() if part.age_ms is not None]
    kinds = {modality.name: modality.kind for modality in perceiver.bundle.manifest.modalities}
    if not heard or not all(percept.senses[sense].valid or kinds[sense] == "text" for sense in heard):
        return None
    newest = {sense: tokens for sense in heard if (tokens := perceiver.newest(sense)) is not None}
    evidence = {sense: tokens.evidence.array[0] for sense, tokens in newest.items()}
    vectors = {
        sense: tokens.arrays[f"{sense}_embedding"][0]
        for sense, tokens in newest.items()
        if f"{sense}_embedding" in tokens.arrays
    }
    return Moment(evidence, vectors)


def _prompt_ids(bundle: Bundle, modality: TextModality) -> np.ndarray:
    tokenizer = open_tokenizer(bundle)
    assert tokenizer is not None, "a text sense without a tokenizer"
    return token_ids(tokenizer, list(bundle.manifest.labels.values()), modality.max_tokens)


def _alike(moment: Moment, before: Moment) -> bool:
    if moment.vectors.keys() != before.vectors.keys() or not moment.vectors:
        return False
    pairs = [(moment.vectors[sense], before.vectors[sense]) for sense in moment.vectors]
    return all(float(unit(one[None])[0] @ unit(other[None])[0]) > _ALIKE_IN_A_ROW for one, other in pairs)


def _shapes(moment: Moment) -> dict[str, tuple[int, ...]]:
    return {sense: array.shape for sense, array in moment.evidence.items()}
