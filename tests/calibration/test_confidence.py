"""Confidence is honest after calibration, by truth that is known; too little evidence is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from guesses import honest, overconfident

from edgefuse.calibration.confidence import (
    Scored,
    calibrate_confidence,
    calibration_error,
    fit_confidence,
    fit_temperature,
    fit_threshold,
    judge_subset,
)
from edgefuse.calibration.confidence_picture import draw_confidence
from edgefuse.calibration.percepts import read_percepts
from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
from edgefuse.runtime.errors import CalibrationError

MANIFEST = Bundle.open(DEFAULT_BUNDLE).manifest


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 4.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    scores, labels = overconfident(6000, temperature, seed=1)
    assert fit_temperature(scores, labels) == pytest.approx(temperature, rel=0.05)


def test_the_error_falls_on_fresh_examples_and_the_first_guess_stays() -> None:
    fit = fit_confidence(*overconfident(3000, 3.0, seed=1), precision=0.95)
    scores, labels = overconfident(6000, 3.0, seed=2)
    right = scores.argmax(axis=1) == labels
    assert calibration_error(scores.max(axis=1), right) > 0.1
    assert calibration_error(fit.confidences(scores), right) < 0.03


def test_errors_that_no_temperature_mends_are_mended() -> None:
    """What is doubtful is right less often than it says, what is clear more often: as with an unknown voice."""
    rng = np.random.default_rng(5)
    best = rng.uniform(0.2, 1, 8000)
    right = rng.uniform(0, 1, 8000) < np.where(best > 0.6, 0.97, 0.15)
    scores = np.stack([best, *[(1 - best) / 9] * 9], axis=1)
    labels = np.where(right, 0, 1)
    fit = fit_confidence(scores[:4000], labels[:4000], precision=0.95)
    assert calibration_error(best[4000:], right[4000:]) > 0.1
    assert calibration_error(fit.confidences(scores[4000:]), right[4000:]) < 0.03


def test_the_curve_rises() -> None:
    scores, shares = zip(*fit_confidence(*honest(500, 5, seed=3), precision=0.9).curve, strict=True)
    assert (np.diff(scores) > 0).all()
    assert (np.diff(shares) >= 0).all()


@pytest.mark.parametrize("precision", [0.8, 0.9, 0.95])
def test_a_threshold_keeps_the_wanted_precision_on_fresh_examples(precision: float) -> None:
    reached = []
    for seed in range(20):
        fit = fit_confidence(*overconfident(1000, 2.0, seed=seed), precision)
        scores, labels = overconfident(4000, 2.0, seed=1000 + seed)
        certain = fit.confidences(scores) >= (fit.threshold or 2)
        assert 0.05 < certain.mean() < 1
        reached.append((scores.argmax(axis=1) == labels)[certain].mean())
    assert np.mean(np.array(reached) >= precision) >= 0.8
    assert np.mean(reached) < precision + 0.08, "it abstains more than it has to"


def test_nothing_is_certain_where_no_score_can_be_trusted() -> None:
    confidence = np.random.default_rng(0).uniform(0.5, 1, 1000)
    assert fit_threshold(confidence, np.random.default_rng(1).uniform(0, 1, 1000) < 0.5, 0.95) is None
    assert fit_threshold(confidence, np.ones(1000, bool), 0.95) == pytest.approx(0.5, abs=0.01)
    assert fit_threshold(confidence / 2, np.ones(1000, bool), 0.95) == 0.5


def test_what_the_file_says_was_measured_on_examples_that_the_fit_did_not_see() -> None:
    """Scores that say nothing of the truth: a fit judged on its own examples would look better than chance."""
    rng = np.random.default_rng(7)
    scores = rng.dirichlet(np.ones(4), 600).astype(np.float32)
    subset = judge_subset(("image",), scores, rng.integers(0, 4, 600), 0.95).subset
    assert subset.threshold is None
    assert (subset.precision, subset.coverage) == (None, 0)
    assert subset.ece_before > 0.2
    assert subset.ece_after < 0.1


@pytest.mark.parametrize(
    ("scores", "labels", "reason"),
    [
        (np.ones((99, 3)) / 3, np.zeros(99, int), "99 labelled examples, 100 at least"),
        (np.ones((100, 3)) / 3, np.full(100, 3), "none of the 3 classes"),
        (np.full((100, 3), np.nan), np.zeros(100, int), "no numbers"),
        (np.ones((90, 3)) / 3, np.zeros(100, int), "do not go with 100 labels"),
    ],
)
def test_evidence_that_is_none_is_refused(scores: np.ndarray, labels: np.ndarray, reason: str) -> None:
    with pytest.raises(CalibrationError, match=reason) as caught:
        judge_subset(("image",), scores, labels, 0.95)
    assert "\n" not in str(caught.value)


def test_the_diagram_is_drawn_for_every_subset(tmp_path: Path) -> None:
    scored = {(sense,): Scored(*overconfident(300, 2.0, seed=4)) for sense in ("image", "audio", "text")}
    draw_confidence(tmp_path / "confidence.png", calibrate_confidence(scored, MANIFEST, "made up"))
    assert (tmp_path / "confidence.png").stat().st_size > 10_000


def line(labels: list[str], best: int, truth: str | None, certain: bool | None = None) -> str:
    scores = {label: 0.9 if index == best else 0.1 / (len(labels) - 1) for index, label in enumerate(labels)}
    senses = {"image": {"valid": True}, "audio": {"valid": False}}
    return json.dumps({"certain": certain, "scores": scores, "senses": senses, "truth": truth})


def test_percepts_with_the_truth_added_are_evidence(tmp_path: Path) -> None:
    labels = list(MANIFEST.labels)
    path = tmp_path / "percepts.jsonl"
    path.write_text(
        "\n".join([*[line(labels, n % 37, labels[(n + n % 2) % 37]) for n in range(120)], line(labels, 0, None)])
    )
    scored = read_percepts(path, labels)
    assert list(scored) == [("image",)]
    assert scored["image",].scores.shape == (120, 37)
    assert (scored["image",].scores.argmax(axis=1) == scored["image",].labels).mean() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line(["red", "blue"], 0, "red"), "fewer than 100 percepts of the same senses have a 'truth': 1 with image"),
        (line(["red", "blue"], 0, "red", certain=True), "line 1 is calibrated already"),
        (line(["red", "blue"], 0, "green"), "line 1: 'green' is none of the bundle's labels"),
        (line(["red", "green"], 0, "red"), "its labels are not the bundle's"),
        ('{"truth": "red"}', "line 1 is no percept"),
        ("[1, 2]", "line 1 is no percept"),
        ("not JSON", "line 1 is no JSON"),
    ],
)
def test_other_lines_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "percepts.jsonl").write_text(text)
    with pytest.raises(CalibrationError, match=reason) as caught:
        read_percepts(tmp_path / "percepts.jsonl", ["red", "blue"])
    assert "\n" not in str(caught.value)
