"""Numbers and names that make no sense are refused or counted; they never end as a confident result."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import CAMERA, FUSION_OF_TWO, image, write_bundle

from edgefuse.runtime import DEFAULT_BUNDLE, AudioChunk, EdgefuseError, Frame, Perceiver, Text

MS = 1_000_000
BLACK, GREY = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 90, np.uint8)
DIVIDING_CAMERA = CAMERA.replace("Div(mean, full)", "Div(mean, mean)")
FUSION = FUSION_OF_TWO.format("eye", "other")


@pytest.fixture(scope="module")
def perceiver() -> Perceiver:
    """Of the bundle that ships."""
    return Perceiver.open(DEFAULT_BUNDLE, selftest=False)


@pytest.mark.parametrize(
    ("encoder", "fusion"),
    [(DIVIDING_CAMERA, FUSION), (CAMERA, FUSION.replace("Mul(both, ten)", "Div(both, both)"))],
    ids=["an encoder", "the fusion"],
)
def test_what_a_graph_gives_that_is_not_finite_is_no_percept_but_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encoder: str, fusion: str
) -> None:
    """Black is divided by black."""
    senses = [image("eye") | {"graph": encoder}, image("other") | {"graph": encoder}]
    perceiver = Perceiver.open(write_bundle(tmp_path / "bundle", senses, fusion))
    percepts = []
    for number, picture in enumerate([GREY, BLACK, BLACK, GREY]):
        perceiver.push(Frame(number * MS, picture, modality="eye"))
        percepts.append(perceiver.step())
    assert [percept is not None for percept in percepts] == [True, False, False, True]
    assert perceiver.drops()["eye"] == {"not_finite": 2}
    assert caplog.text.count("NaN or infinity") == 1
    for percept in (percepts[0], percepts[3]):
        assert math.isfinite(percept.confidence)
        json.loads(json.dumps(percept.as_json(), allow_nan=False))


@pytest.mark.parametrize("encoding", ["rgb", "RGB8", "mono8", "", "bgr", None])
def test_an_encoding_that_is_not_known_is_refused(perceiver: Perceiver, encoding: Any) -> None:
    perceiver.push(Frame(0, GREY, "bgr8"))
    assert not perceiver.push(Frame(MS, GREY, encoding))
    assert perceiver.refusal("image") == f"should be encoded as rgb8 or bgr8, but says {encoding!r}"


@pytest.mark.parametrize("loudest", [8.1, -20.0, 32767.0, 1e20])
def test_sound_that_was_scaled_wrong_is_refused(loudest: float) -> None:
    perceiver = Perceiver.open(DEFAULT_BUNDLE, selftest=False)
    pcm = np.zeros(320, np.float32)
    assert perceiver.push(AudioChunk(0, pcm, 16_000, 0))
    pcm[7] = loudest
    assert not perceiver.push(AudioChunk(20 * MS, pcm, 16_000, 320))
    assert perceiver.drops()["audio"] == {"out_of_range": 1}


def test_sound_that_is_clipped_a_little_is_heard(perceiver: Perceiver) -> None:
    assert perceiver.push(AudioChunk(0, np.full(320, 1.3, np.float32), 16_000, 0))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"backend": "gpu"}, "there is no backend 'gpu'; there are auto, cpu"),
        ({"prompts": "a red ball"}, "are one text"),
        ({"fuse_on": "all"}, "'lead', 'any' or a rate"),
        ({"fuse_on": 0.0}, "a rate up to 1000 Hz"),
        ({"fuse_on": math.nan}, "a rate up to 1000 Hz"),
        ({"fuse_on": True}, "a rate up to 1000 Hz"),
        ({"senses": ["smell"]}, "smell"),
        ({"offsets_ms": {"smell": 1.0}}, "smell"),
        ({"offsets_ms": {"audio": 3_600_000.0}}, "offsets_ms of audio should be -60000 to 60000 ms"),
        ({"offsets_ms": {"audio": math.nan}}, "offsets_ms of audio"),
    ],
)
def test_a_wish_that_makes_no_sense_is_one_line(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(EdgefuseError) as refused:
        Perceiver.open(DEFAULT_BUNDLE, selftest=False, **wish)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("age_ms", [math.nan, -1.0, math.inf])
def test_an_age_that_makes_no_sense_is_refused_and_changes_nothing(perceiver: Perceiver, age_ms: float) -> None:
    with pytest.raises(EdgefuseError, match="max_age_ms of audio"):
        perceiver.set_max_age_ms({"audio": age_ms})


def test_samples_of_a_sense_that_the_bundle_has_not_are_said_once(
    perceiver: Perceiver, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        assert not perceiver.push(Text(number, "a red ball", "subtitles"))
    assert caplog.text.count("'subtitles'") == 1
