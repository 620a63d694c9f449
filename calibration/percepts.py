"""Percepts that were written as JSON lines, to which a person added what was really there."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgefuse.calibration.confidence import FEWEST_EXAMPLES, Scored
from edgefuse.runtime.errors import CalibrationError, FileError
from edgefuse.runtime.files.documents import parse_json, read_lines

TRUTH = "truth"
_ROUNDING = 1e-3  # of a score; files hold six digits

log = logging.getLogger(__name__)


def read_percepts(path: Path, labels: Sequence[str]) -> dict[tuple[str, ...], Scored]:
    """By subset of valid senses; each line of `edgefuse run --jsonl` with its true label added as "truth".

    Lines without one are passed over, and so is a subset of too few, which is logged. `labels` are the bundle's.
    Raises CalibrationError.
    """
    rows: defaultdict[tuple[str, ...], list[tuple[list[float], int]]] = defaultdict(list)
    for number, line in _lines(path):
        senses = tuple(name for name, sense in line["senses"].items() if sense["valid"])
        rows[senses].append(_row(line, labels, f"{path}, line {number}"))
    _warn_of_few(path, {senses: len(some) for senses, some in rows.items()})
    found = {senses: Scored(*map(np.array, zip(*some, strict=True))) for senses, some in rows.items()}
    enough = {senses: scored for senses, scored in found.items() if senses and len(scored.labels) >= FEWEST_EXAMPLES}
    if not enough:
        counts = ", ".join(f"{len(some)} with {' + '.join(senses) or 'no sense'}" for senses, some in rows.items())
        raise CalibrationError(
            f"{path}: fewer than {FEWEST_EXAMPLES} percepts of the same senses have a {TRUTH!r}: {counts or 'none'}"
        )
    return enough


def _warn_of_few(path: Path, counts: Mapping[tuple[str, ...], int]) -> None:
    few = {" + ".join(senses) or "no sense": count for senses, count in counts.items() if count < FEWEST_EXAMPLES}
    if few and len(few) < len(counts):
        said = ", ".join(f"{count} with {senses}" for senses, count in few.items())
        log.warning("%s: left out, since %d at least are needed: %s", path, FEWEST_EXAMPLES, said)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _documents(path):
        try:
            if line.get(TRUTH) is None:
                continue
            _check(line)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CalibrationError(f"{path}, line {number} is no percept of `edgefuse run --jsonl`") from error
        if line["certain"] is not None:
            raise CalibrationError(f"{path}, line {number} is calibrated already: write it with `--confidence none`")
        yield number, line


def _documents(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        for number, text in enumerate(read_lines(path), start=1):
            yield number, parse_json(text, f"{path}, line {number}")
    except FileError as error:
        raise CalibrationError(str(error)) from error


def _check(line: dict[str, Any]) -> None:
    """Raises KeyError, TypeError, AttributeError or ValueError unless its fields make sense."""
    scores, parts = list(line["scores"].values()), list(line["senses"].values())
    if line["certain"] not in (True, False, None) or not all(isinstance(part["valid"], bool) for part in parts):
        raise ValueError("what is true or false says neither")
    if not all(type(score) in (int, float) and 0 <= score <= 1 for score in scores):
        raise ValueError("scores are in 0..1")
    if abs(sum(scores) - 1) > _ROUNDING * max(1, len(scores)):
        raise ValueError("scores add up to 1")


def _row(line: dict[str, Any], labels: Sequence[str], where: str) -> tuple[list[float], int]:
    if list(line["scores"]) != list(labels):
        raise CalibrationError(f"{where}: its labels are not the bundle's; write percepts without --prompt")
    if line[TRUTH] not in labels:
        raise CalibrationError(f"{where}: {line[TRUTH]!r} is none of the bundle's labels")
    return [float(score) for score in line["scores"].values()], list(labels).index(line[TRUTH])
