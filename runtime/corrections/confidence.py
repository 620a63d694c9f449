"""How sure a percept really is, as it was measured, in the file confidence.json.

By subset of valid senses: a temperature for the scores (Guo et al. 2017, arXiv 1706.04599), then a curve from the best
score to how often such percepts are right, and from where on they are right as often as was wanted.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import FailFast, Field, model_validator

from edgefuse.runtime.arguments import check_kind, path_of
from edgefuse.runtime.bundle.fields import Sha256, Share
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.corrections.measured import Measured, Measurement, read_measured, write_text
from edgefuse.runtime.errors import CalibrationError

SCHEMA_VERSION: Final = 1
CONFIDENCE_FILE = "confidence.json"
_REMEDY = "measure again with `edgefuse calibrate confidence`"


class SubsetConfidence(Measurement):
    """What was measured with these senses and no others.

    Errors, precision and coverage are of examples that the fit did not see (cross-validated).
    """

    senses: tuple[str, ...] = Field(min_length=1)
    examples: int = Field(gt=0)
    temperature: float = Field(ge=1e-3, le=1e3, description="scores become softmax(log scores / temperature)")
    curve: Annotated[tuple[tuple[Share, Share], ...], FailFast()] = Field(
        min_length=1, description="(best score after that, how often it was right), both rising; straight in between"
    )
    threshold: Share | None = Field(description="certain from this confidence on; None: never")
    precision: Share | None = Field(description="share of the certain percepts that are right")
    coverage: Share = Field(description="share of the percepts that are certain")
    ece_before: Share = Field(description="expected calibration error of the network's own scores")
    ece_after: Share

    @model_validator(mode="after")
    def _rising(self) -> SubsetConfidence:
        scores, shares = zip(*self.curve, strict=True)
        if any(np.diff(scores) <= 0) or any(np.diff(shares) < 0):
            raise ValueError("the curve does not rise")
        return self


class Confidence(Measurement):
    """The whole of confidence.json."""

    kind: Literal["confidence"] = "confidence"
    schema_version: Literal[1] = SCHEMA_VERSION
    measured: Measured
    bundle: str = Field(description="name of the bundle that it is of")
    network_sha256: Sha256 = Field(description="of that bundle's network, see `network_sha256`")
    wanted_precision: float = Field(gt=0, lt=1)
    subsets: Annotated[tuple[SubsetConfidence, ...], FailFast()] = Field(min_length=1)

    def of(self, senses: Collection[str]) -> SubsetConfidence | None:
        """What was measured with exactly these senses; None for a subset that was not."""
        wanted = frozenset(senses)
        return next((subset for subset in self.subsets if frozenset(subset.senses) == wanted), None)


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores by class after the temperature, how sure the best is, and whether that is enough (None: not known)."""

    scores: Sequence[float]
    confidence: float
    certain: bool | None


def judge(scores: Sequence[float], subset: SubsetConfidence | None) -> Judged:
    """The fusion's own scores by class, as far as they are calibrated.

    Plain Python: for so few numbers NumPy takes five times as long, since an engine has just used the caches.
    """
    best = max(scores)
    if subset is None:
        return Judged(scores, best, None)
    exponent = 1 / subset.temperature
    powers = [(score / best) ** exponent for score in scores]
    total = sum(powers)
    confidence = _follow(subset.curve, 1 / total)
    certain = subset.threshold is not None and confidence >= subset.threshold
    return Judged([power / total for power in powers], confidence, certain)


def _follow(curve: Sequence[tuple[float, float]], best_score: float) -> float:
    """How often percepts of this best score are right, straight between the curve's points."""
    above = bisect_right(curve, best_score, key=itemgetter(0))
    if above in (0, len(curve)):
        return curve[max(above - 1, 0)][1]
    (low, low_share), (high, high_share) = curve[above - 1], curve[above]
    return low_share + (high_share - low_share) * (best_score - low) / (high - low)


def network_sha256(manifest: Manifest) -> str:
    """Of what the scores come from: the graphs, the tokenizer, and the labels with their prompts.

    It does not change with what else lies in the bundle, so that a calibration of the bundle may.
    """
    graphs = {name: manifest.files[graph.file].sha256 for name, graph in manifest.graphs.items()}
    tokenizer = None if manifest.tokenizer is None else manifest.files[manifest.tokenizer].sha256
    deciding = json.dumps([graphs, tokenizer, list(manifest.labels.items())], separators=(",", ":"))
    return hashlib.sha256(deciding.encode()).hexdigest()


def read_confidence(path: str | Path, manifest: Manifest) -> Confidence:
    """Raises CalibrationError in one line for a file that is missing, damaged, or of another bundle."""
    file = path_of("a confidence", path)
    confidence = read_measured(Confidence, file, _REMEDY)
    if confidence.network_sha256 != network_sha256(manifest):
        raise CalibrationError(f"{file} is of another bundle ({confidence.bundle}), or of an older export; {_REMEDY}")
    return confidence


def write_confidence(path: Path, confidence: Confidence) -> None:
    """Write what `read_confidence` reads; raises CalibrationError."""
    check_kind("confidence", confidence, Confidence)
    write_text(path, confidence.model_dump_json(indent=2) + "\n")
