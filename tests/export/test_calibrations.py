"""An export measures how sure the bundle's percepts are and what is usual, on samples that are nobody's test."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgefuse.calibration.collection import choose
from edgefuse.export.calibrations import collect_examples, confidence_of, write_calibrations
from edgefuse.export.checkpoint import spec_from_checkpoint
from edgefuse.export.collected import with_collection
from edgefuse.export.errors import ExportError
from edgefuse.export.spec import FusionSpec
from edgefuse.fusion.examples import Examples
from edgefuse.fusion.progress import unseen
from edgefuse.runtime import Bundle, Perceiver
from edgefuse.runtime.corrections.confidence import read_confidence
from edgefuse.runtime.errors import CalibrationError
from edgefuse.tabletop import splits
from edgefuse.tasks import find_samples


def test_a_bundle_says_how_sure_it_is_with_every_subset_of_its_senses(fp32_bundle: Path) -> None:
    manifest = Bundle.open(fp32_bundle).manifest
    assert (manifest.confidence, manifest.familiar) == ("confidence.json", "familiar.json")
    assert manifest.known_prompts == "known_prompts.json"
    confidence = read_confidence(fp32_bundle / "confidence.json", manifest)
    assert len(confidence.subsets) == 7
    assert confidence.measured.how == "148 samples of the tabletop task that neither training nor test holds"
    assert Perceiver.open(fp32_bundle).drift() == {}


def test_confidence_is_measured_on_nothing_that_is_calibrated_or_verified_on(few_examples: None) -> None:
    def pictures(some: Examples) -> set[bytes]:
        return {image.tobytes() for image in some.samples["image"]}

    fitted = pictures(splits.confidence_examples())
    assert len(fitted) == 2 * 2 * 37
    assert not fitted & pictures(splits.verification_examples(splits.VERIFICATION_PER_CLASS))
    assert not fitted & pictures(splits.calibration_examples(splits.CALIBRATION_EXAMPLES))


def test_the_calibration_of_another_network_is_refused(fp32_bundle: Path, bundle_copy: Path) -> None:
    manifest = Bundle.open(bundle_copy).manifest
    other = manifest.model_copy(update={"labels": {"one": "a red ball", **dict(list(manifest.labels.items())[1:])}})
    with pytest.raises(CalibrationError, match="is of another bundle"):
        read_confidence(fp32_bundle / "confidence.json", other)


def test_without_labels_nothing_is_claimed(bundle_copy: Path, spec: FusionSpec) -> None:
    unlabelled = replace(spec, validation=None, holdout=Examples(spec.holdout.samples))
    bundle = Bundle.open(bundle_copy)
    written = write_calibrations(bundle, unlabelled, unseen)
    assert written == {"confidence": None, "familiar": "familiar.json", "known_prompts": "known_prompts.json"}
    assert write_calibrations(bundle, replace(unlabelled, prompts=None), unseen)["known_prompts"] is None
    with pytest.raises(ExportError, match="no labelled samples"):
        confidence_of(bundle, unlabelled, 0.95)


def test_a_network_without_samples_of_its_own_is_measured_on_its_hold_out(fp32_bundle: Path, spec: FusionSpec) -> None:
    validation = splits.confidence_examples()
    own = replace(spec, validation=None, holdout=replace(validation, origin=None))
    measured = confidence_of(Bundle.open(fp32_bundle), own, 0.9).confidence
    assert measured.wanted_precision == 0.9
    assert measured.measured.how == f"{len(validation)} hold-out samples of random"


def test_collected_samples_take_the_place_of_the_networks_own(fp32_bundle: Path, spec: FusionSpec) -> None:
    collection = collect_examples(Bundle.open(fp32_bundle), spec, 40)
    changed = with_collection(spec, collection)
    assert len(changed.calibration) == collection.header.samples
    own = {image.tobytes() for image in spec.calibration.samples["image"]}
    assert {image.tobytes() for image in changed.calibration.samples["image"]} <= own


def test_a_set_of_other_senses_or_sizes_is_refused(spec: FusionSpec) -> None:
    vectors = {"image": np.random.default_rng(0).normal(size=(40, 8))}
    samples = {sense: np.repeat(array[:1], 40, axis=0) for sense, array in spec.calibration.samples.items()}
    lacking = {sense: array for sense, array in samples.items() if sense != "text"}
    with pytest.raises(ExportError, match="the set is of image, audio, the network has image, audio, text"):
        with_collection(spec, choose(lacking, vectors, 40, "b", "here"))
    short = samples | {"audio": samples["audio"][:, :100]}
    with pytest.raises(ExportError, match=r"the set's audio is float32 \[40, 100\]"):
        with_collection(spec, choose(short, vectors, 40, "b", "here"))


def test_a_folder_of_ones_own_is_evidence(fp32_bundle: Path, checkpoint_path: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label, pictures in (("red ball", 80), ("blue cube", 40)):
        (tmp_path / label).mkdir()
        for number in range(pictures):
            picture = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / label / f"{number}.png"), picture)
    spec = spec_from_checkpoint(checkpoint_path, partial(find_samples, data=tmp_path))
    validation = spec.validation() if spec.validation is not None else spec.holdout
    labels = list(spec.labels)
    counts = np.bincount(validation.labels)
    assert (counts[labels.index("red ball")], counts[labels.index("blue cube")]) == (80, 40)
    measured = confidence_of(Bundle.open(fp32_bundle), spec, 0.95).confidence
    assert [(one.senses, one.examples) for one in measured.subsets] == [(("image",), 120)]
    assert measured.measured.how == f"120 examples of {tmp_path} that it was not trained on"
