"""What a bundle says of itself besides its graphs: how sure its percepts are, what its senses and prompts usually
are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgefuse.calibration.collection import Collection, choose
from edgefuse.calibration.confidence import FEWEST_EXAMPLES, ConfidenceCalibration, Scored, calibrate_confidence
from edgefuse.calibration.familiar import familiar_from
from edgefuse.calibration.known_prompts import known_prompts_from
from edgefuse.export.bundle_predictor import BundlePredictor
from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec, subsets
from edgefuse.export.spec_predictor import Arrays
from edgefuse.export.verify import check_comparable
from edgefuse.fusion.errors import FusionError
from edgefuse.fusion.examples import Examples
from edgefuse.fusion.labels import PromptTexts
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.corrections.confidence import CONFIDENCE_FILE, write_confidence
from edgefuse.runtime.heads.drift import FAMILIAR_FILE, write_familiar
from edgefuse.runtime.heads.known_prompts import KNOWN_PROMPTS_FILE, write_known_prompts

MOST_FAMILIAR = 512
"""Samples that are encoded to say what is usual."""


def write_calibrations(bundle: Bundle, spec: FusionSpec, progress: Progress) -> dict[str, str | None]:
    """Write confidence.json, familiar.json and known_prompts.json into the bundle's directory.

    Gives the manifest's fields that name them; None where there is nothing to measure one on: no labels, too few
    samples, no sense that is encoded, no prompts.
    """
    predictor = BundlePredictor(bundle)
    return {
        "confidence": _write_confidence(bundle, predictor, spec, progress),
        "familiar": _write_familiar(bundle, predictor, spec.calibration),
        "known_prompts": _write_known_prompts(bundle, predictor, spec.prompts),
    }


def confidence_of(
    bundle: Bundle, spec: FusionSpec, precision: float, progress: Progress = unseen
) -> ConfidenceCalibration:
    """How sure the bundle's percepts are on labelled samples of its network's spec that are not its training data.

    Raises ExportError where the spec has none or too few.
    """
    check_comparable(bundle.manifest, spec)
    examples = _labelled(spec)
    if examples.labels is None:
        said = f" ({'; '.join(spec.remarks)})" if spec.remarks else ""
        raise ExportError(f"{spec.name} has no labelled samples to measure confidence on{said}")
    scored = subset_scores(BundlePredictor(bundle), bundle.manifest, examples, progress)
    if not scored:
        raise ExportError(
            f"confidence is measured on {FEWEST_EXAMPLES} labelled samples at least, here are {len(examples)} "
            f"{examples.origin}"
        )
    return calibrate_confidence(scored, bundle.manifest, f"{len(examples)} {examples.origin}", precision)


def collect_examples(bundle: Bundle, spec: FusionSpec, count: int) -> Collection:
    """`count` of the samples that the spec has for measuring ranges, chosen to cover what there is."""
    check_comparable(bundle.manifest, spec)
    encoded = _encoded(BundlePredictor(bundle), bundle.manifest, spec.calibration)
    vectors = {sense: outputs["embedding"] for sense, outputs in encoded.items() if "embedding" in outputs}
    how = f"{len(spec.calibration)} calibration samples of {spec.name}"
    return choose(spec.calibration.samples, vectors, count, bundle.manifest.name, how)


def subset_scores(
    predictor: BundlePredictor, manifest: Manifest, examples: Examples, progress: Progress = unseen
) -> dict[tuple[str, ...], Scored]:
    """What the bundle says of labelled examples, by subset of senses that its network can do with and enough of them
    have."""
    assert examples.labels is not None, "examples whose truth is not known"
    senses = tuple(modality.name for modality in manifest.modalities)
    chosen = [manifest.needed] if manifest.needed else subsets(senses)
    steps, sensed = len(senses) + len(chosen), Arrays()
    for done, sense in enumerate(senses):
        progress("confidence", done, steps)
        sensed |= predictor.encode_sense(sense, examples.samples[sense])
    prompts, scored = predictor.labels_prompts(), {}
    for done, subset in enumerate(chosen, start=len(senses)):
        progress("confidence", done, steps)
        rows = examples.having(subset)
        if rows.sum() >= FEWEST_EXAMPLES:
            scores = predictor.fuse_sensed(sensed, subset, prompts)["scores"]
            scored[subset] = Scored(scores[rows], examples.labels[rows])
    progress("confidence", steps, steps)
    return scored


def _labelled(spec: FusionSpec) -> Examples:
    """What confidence is measured on, if it has labels."""
    if spec.validation is None:
        examples, origin = spec.holdout, f"hold-out samples of {spec.name}"
    else:
        origin = f"samples of {spec.name} that neither training nor test holds"
        try:
            examples = spec.validation()
        except FusionError as error:
            raise ExportError(str(error)) from error
    return replace(examples, origin=examples.origin or origin)


def _write_confidence(bundle: Bundle, predictor: BundlePredictor, spec: FusionSpec, progress: Progress) -> str | None:
    examples = _labelled(spec)
    if examples.labels is None or len(examples) < FEWEST_EXAMPLES:
        return None
    scored = subset_scores(predictor, bundle.manifest, examples, progress)
    if not scored:
        return None
    calibration = calibrate_confidence(scored, bundle.manifest, f"{len(examples)} {examples.origin}")
    write_confidence(bundle.directory / CONFIDENCE_FILE, calibration.confidence)
    return CONFIDENCE_FILE


def _write_familiar(bundle: Bundle, predictor: BundlePredictor, calibration: Examples) -> str | None:
    rows = np.linspace(0, len(calibration) - 1, min(len(calibration), MOST_FAMILIAR)).astype(int)
    some = calibration.take(rows)
    encoded = {
        sense: {name: array[some.having((sense,))] for name, array in outputs.items()}
        for sense, outputs in _encoded(predictor, bundle.manifest, some).items()
    }
    familiar = familiar_from(encoded, f"{len(rows)} samples that the graphs' ranges were measured on")
    if familiar is None:
        return None
    write_familiar(bundle.directory / FAMILIAR_FILE, familiar)
    return FAMILIAR_FILE


def _write_known_prompts(bundle: Bundle, predictor: BundlePredictor, prompts: PromptTexts | None) -> str | None:
    if prompts is None:
        return None
    trained, paraphrases = (predictor.read_prompts(texts) for texts in (prompts.trained, prompts.paraphrases))
    if trained is None or paraphrases is None:
        return None
    known = known_prompts_from(prompts.trained, trained, paraphrases)
    if known is None:
        return None
    write_known_prompts(bundle.directory / KNOWN_PROMPTS_FILE, known)
    return KNOWN_PROMPTS_FILE


def _encoded(predictor: BundlePredictor, manifest: Manifest, examples: Examples) -> dict[str, Arrays]:
    """The encoders' outputs by name, by sense that has one."""
    senses = [modality.name for modality in manifest.modalities if modality.graph is not None]
    sensed = {sense: predictor.encode_sense(sense, examples.samples[sense]) for sense in senses}
    return {
        sense: {name.removeprefix(f"{sense}_"): array for name, array in outputs.items()}
        for sense, outputs in sensed.items()
    }
