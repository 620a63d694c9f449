"""A percept's confidence is the one that was measured for its valid senses, and it says whether that is enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibrated import CURVE, TEMPERATURE, bundle_with, confidence

from edgefuse.calibration.confidence import follow, temper
from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, Frame, Perceiver, Percept
from edgefuse.runtime.corrections.confidence import Confidence, Judged, judge, read_confidence, write_confidence
from edgefuse.runtime.errors import CalibrationError, EdgefuseError

MANIFEST = Bundle.open(DEFAULT_BUNDLE).manifest


def seen(perceiver: Perceiver) -> Percept:
    """What one frame of a red square on a table comes to."""
    image = np.full((96, 128, 3), 150, np.uint8)
    image[30:70, 40:90] = (200, 30, 30)
    perceiver.push(Frame(0, image))
    percept = perceiver.step()
    assert percept is not None
    return percept


@pytest.fixture(scope="module")
def perceiver(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Confidence | None], Perceiver]:
    """Of a bundle that is not calibrated, with this calibration."""
    bundle = Bundle.open(bundle_with(tmp_path_factory.mktemp("plain") / "bundle"))
    return lambda measured: Perceiver(bundle, now_ns=lambda: 0, confidence=measured)


def test_a_percept_is_as_sure_as_was_measured_for_its_senses(perceiver) -> None:
    plain, measured = seen(perceiver(None)), seen(perceiver(confidence("image")))
    raw = np.array(list(plain.scores.values()))
    expected = temper(raw, TEMPERATURE)
    assert np.allclose(list(measured.scores.values()), expected, atol=1e-4)
    assert sum(measured.scores.values()) == pytest.approx(1, abs=1e-4)
    assert measured.label == plain.label
    assert measured.confidence == pytest.approx(float(np.interp(expected.max(), *zip(*CURVE, strict=True))), abs=1e-4)
    assert (plain.certain, measured.certain) == (None, measured.confidence >= 0.5)


def test_it_is_certain_from_the_threshold_on_and_never_without_one(perceiver) -> None:
    assert seen(perceiver(confidence("image", threshold=0.0))).certain is True
    assert seen(perceiver(confidence("image", threshold=1.0))).certain is False
    assert seen(perceiver(confidence("image", threshold=None))).certain is False
    assert seen(perceiver(confidence("image", threshold=0.0))).as_json()["certain"] is True


def test_what_was_not_measured_stays_as_the_network_says(perceiver) -> None:
    plain, other = seen(perceiver(None)), seen(perceiver(confidence("image", "audio")))
    assert (other.certain, other.confidence) == (None, plain.confidence)


def test_a_bundle_brings_its_own_and_a_file_takes_its_place(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path / "bundle", confidence("image", threshold=0.0))
    assert seen(Perceiver(Bundle.open(bundle), now_ns=lambda: 0)).certain is True
    assert seen(Perceiver(Bundle.open(bundle), now_ns=lambda: 0, confidence=None)).certain is None
    as_the_network_says = Perceiver.open(bundle, confidence=None)
    as_the_network_says.now_ns = lambda: 0
    assert seen(as_the_network_says).certain is None
    write_confidence(tmp_path / "other.json", confidence("image", threshold=1.0))
    opened = Perceiver.open(bundle, confidence=tmp_path / "other.json")
    opened.now_ns = lambda: 0
    assert seen(opened).certain is False


def test_scores_of_one_and_zero_are_tempered_without_trouble() -> None:
    judged = judge([1.0, 0.0, 0.0], confidence("image").of(["image"]))
    assert judged == Judged([1.0, 0.0, 0.0], 1.0, True)


@pytest.mark.parametrize("best", [0.0, 0.25, 0.5, 0.61, 0.75, 1.0])
def test_a_percept_is_judged_as_the_examples_were_that_the_calibration_is_of(best: float) -> None:
    scores = np.array([best, *(1 - best) * np.array([0.45, 0.35, 0.2])])
    judged = judge(scores.tolist(), confidence("image").of(["image"]))
    expected = temper(scores, TEMPERATURE)
    assert judged.scores == pytest.approx(expected.tolist())
    assert judged.confidence == pytest.approx(follow(CURVE, expected.max()))


def test_the_order_of_senses_does_not_matter() -> None:
    measured = confidence("image", "audio")
    assert measured.of(("audio", "image")) == measured.subsets[0]
    assert measured.of(["audio"]) is None


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_confidence(tmp_path / "confidence.json", confidence("image"))
    assert read_confidence(tmp_path / "confidence.json", MANIFEST) == confidence("image")


def nested(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda values: values["subsets"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda values: values.update(network_sha256="0" * 64), "is of another bundle"),
        (lambda values: values.update(kind="sync"), "kind: Input should be 'confidence'"),
        (lambda values: values.update(schema_version=2), "schema_version"),
        (lambda values: values.update(subsets=[]), "subsets"),
        (lambda values: values.pop("measured"), "measured: Field required"),
        (nested(temperature=0), r"subsets.0.temperature: .*greater than or equal to 0.001, got 0"),
        (nested(threshold=1.5), "subsets.0.threshold"),
        (nested(curve=[[0.5, 0.5], [0.4, 0.6]]), "the curve does not rise"),
        (nested(curve=[[0.5, 0.5], [0.6, 0.4]]), "the curve does not rise"),
        (nested(more=1), "subsets.0.more: Extra inputs"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path, change: Any, reason: str) -> None:
    values = json.loads(confidence("image").model_dump_json())
    change(values)
    path = tmp_path / "confidence.json"
    path.write_text(json.dumps(values))
    with pytest.raises(CalibrationError, match=reason) as caught:
        read_confidence(path, MANIFEST)
    assert "\n" not in str(caught.value)


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "confidence.json"
    with pytest.raises(CalibrationError, match="cannot read"):
        read_confidence(path, MANIFEST)
    path.write_text(confidence("image").model_dump_json()[:100])
    with pytest.raises(CalibrationError, match="is no JSON"):
        read_confidence(path, MANIFEST)


def test_a_bundle_whose_calibration_was_altered_is_refused(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path / "bundle", confidence("image"))
    (bundle / "confidence.json").write_text("{}")
    with pytest.raises(EdgefuseError, match="was altered"):
        Bundle.open(bundle)
