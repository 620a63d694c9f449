"""The drift rises when a sense meets other things than the bundle was made for, and does not when it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from calibrated import bundle_with, confidence, familiar_frames

from edgefuse.runtime import Bundle, Frame, Perceiver, Percept
from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.heads.drift import (
    DRIFT_WARN,
    Drift,
    Familiar,
    direction,
    nearest,
    read_familiar,
    write_familiar,
)
from edgefuse.runtime.senses.evidence import Evidence, Tokens
from edgefuse.runtime.sinks.console import summary
from edgefuse.runtime.sinks.statistics import RunStatistics

PERIOD_NS = 500_000_000
"""Each encoding is looked at."""


def frames(count: int, seed: int) -> np.ndarray:
    """Of tables under a steady light, a thing of some colour on each."""
    rng = np.random.default_rng(seed)
    images = np.full((count, 96, 128, 3), 150, np.uint8)
    for image in images:
        row, column = rng.integers(5, 50), rng.integers(5, 80)
        image[row : row + 30, column : column + 30] = rng.integers(0, 256, 3)
    return noisy(images, seed)


def noisy(images: np.ndarray, seed: int) -> np.ndarray:
    return np.clip(images + np.random.default_rng(seed).normal(0, 5, images.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("drift") / "bundle"
    return bundle_with(directory, confidence("image", threshold=0.0), familiar_frames(frames(80, seed=1)))


def watched(bundle: Path, images: np.ndarray) -> tuple[Perceiver, list[Percept]]:
    perceiver = Perceiver(Bundle.open(bundle), now_ns=lambda: 10**15)
    percepts = []
    for number, image in enumerate(images):
        perceiver.push(Frame(number * PERIOD_NS, image))
        percepts.append(perceiver.step())
    return perceiver, [percept for percept in percepts if percept is not None]


def test_the_same_kind_of_frames_is_no_drift(bundle: Path) -> None:
    perceiver, percepts = watched(bundle, frames(60, seed=2))
    assert list(perceiver.drift()) == ["image"]
    assert abs(perceiver.drift()["image"]) < 1
    assert np.mean([percept.certain for percept in percepts]) > 0.9


@pytest.mark.parametrize("spoil", [lambda images: images // 12, lambda images: 255 - images // 8])
def test_frames_in_another_light_are_a_drift(bundle: Path, spoil) -> None:
    assert watched(bundle, spoil(frames(60, seed=2)))[0].drift()["image"] > DRIFT_WARN


def test_nothing_is_certain_of_what_the_bundle_was_not_made_for(tmp_path: Path) -> None:
    """Made for one picture with noise, and shown others."""
    one = noisy(np.repeat(frames(1, seed=1), 80, axis=0), seed=4)
    bundle = bundle_with(tmp_path / "bundle", confidence("image", threshold=0.0), familiar_frames(one))
    assert all(percept.certain for percept in watched(bundle, noisy(one, seed=5))[1])
    assert not any(percept.certain for percept in watched(bundle, frames(10, seed=2) // 12)[1])


def test_a_drift_that_is_over_is_forgotten(bundle: Path) -> None:
    after = watched(bundle, np.concatenate([frames(30, seed=2) // 12, np.repeat(frames(80, seed=3), 8, axis=0)]))[0]
    assert after.drift()["image"] < DRIFT_WARN


def test_a_few_frames_say_nothing_yet(bundle: Path) -> None:
    assert watched(bundle, frames(9, seed=2) // 12)[0].drift() == {}


def test_of_a_fast_camera_two_frames_a_second_are_looked_at(bundle: Path) -> None:
    all_frames, looked_at = (Drift(read_familiar(bundle / "familiar.json")) for _ in range(2))
    for stamp_ns in range(0, 6 * 10**9, 5 * 10**7):
        array = np.ones((1, 12, 128), np.float32) * (-1 if stamp_ns % PERIOD_NS else 1)
        tokens = Tokens(Evidence("image", stamp_ns, 0, array), {"image_tokens": array}, 0, 0)
        all_frames.note(tokens)
        if stamp_ns % PERIOD_NS == 0:
            looked_at.note(tokens)
    assert all_frames.drift() == looked_at.drift() != {}


def test_a_bundle_that_does_not_know_says_nothing(tmp_path: Path) -> None:
    assert watched(bundle_with(tmp_path / "bundle"), frames(30, seed=2))[0].drift() == {}


def test_the_summary_names_a_sense_that_drifts() -> None:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as capture:
        console.print(summary(RunStatistics(), (), {}, {"image": 7.25, "audio": 0.3}))
    assert "image is unlike what the bundle was made for: drift 7.2" in capture.get()
    assert "audio" not in capture.get()


def test_a_file_that_does_not_fit_the_bundle_is_refused(tmp_path: Path) -> None:
    familiar = familiar_frames(frames(40, seed=1))
    path = tmp_path / "familiar.json"
    write_familiar(path, familiar)
    assert read_familiar(path) == familiar
    short = familiar.outputs[0].model_copy(update={"centres": ((1.0, 0.0),)})
    with pytest.raises(CalibrationError, match="the bundle's image has no tokens of size 2") as caught:
        Perceiver(Bundle.open(bundle_with(tmp_path / "other", familiar=wrong(familiar, short))))
    assert "\n" not in str(caught.value)
    path.write_text("{")
    with pytest.raises(CalibrationError, match="is no JSON"):
        read_familiar(path)


def wrong(familiar: Familiar, *outputs: object) -> Familiar:
    return familiar.model_copy(update={"outputs": outputs})


def test_one_encoding_at_a_time_is_as_strange_as_among_many(bundle: Path) -> None:
    (usual,) = read_familiar(bundle / "familiar.json").outputs
    tokens = np.random.default_rng(0).normal(0, 1, (3, 12, 128)).astype(np.float32)
    centres = np.array(usual.centres, np.float32)
    together = (nearest(direction(tokens), centres) - usual.distance) / usual.distance_sd
    drift = Drift(read_familiar(bundle / "familiar.json"))
    for one in range(3):
        for stamp_ns in range(0, 2000 * PERIOD_NS, PERIOD_NS):
            evidence = Evidence("image", one * 2000 * PERIOD_NS + stamp_ns, 0, tokens)
            drift.note(Tokens(evidence, {"image_tokens": tokens[one : one + 1]}, 0, 0))
        assert drift.drift()["image"] == pytest.approx(together[one], rel=1e-3)
