"""Lines with the truth added: what is no percept of the bundle is one line, and what is left out is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import each_round, is_one_line, mutated, mutated_tree

from edgefuse.calibration.percepts import read_percepts
from edgefuse.runtime.errors import EdgefuseError

LABELS = ["ball", "cup"]


def line(**changed: Any) -> dict[str, Any]:
    """One percept."""
    senses = {"image": {"valid": True}, "audio": {"valid": False}}
    return {"scores": {"ball": 0.75, "cup": 0.25}, "senses": senses, "certain": None, "truth": "ball", **changed}


def written(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {"scores": {"ball": float("nan"), "cup": 0.5}}, {"scores": {"ball": 1e300, "cup": 0}}, {"scores": [0.5, 0.5]},
        {"scores": {"ball": "0.7", "cup": "0.3"}}, {"scores": {"ball": -0.5, "cup": 1.5}}, {"scores": {}},
        {"scores": {"ball": 0.0, "cup": 0.0}}, {"scores": {"ball": True, "cup": False}}, {"scores": None},
        {"scores": {"cup": 0.5, "ball": 0.5}}, {"scores": {"mug": 0.5, "bin": 0.5}}, {"senses": []},
        {"senses": {"image": True}}, {"senses": {"image": {"valid": "yes"}}}, {"certain": "no"}, {"certain": True},
        {"truth": "mug"}, {"truth": 1}, {"truth": ["ball"]},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = written(tmp_path / "percepts.jsonl", [line()] * 150 + [line(**changed)])
    with pytest.raises(EdgefuseError) as refused:
        read_percepts(path, LABELS)
    assert is_one_line(refused.value)


def test_subsets_of_too_few_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    few = line(senses={"image": {"valid": True}, "audio": {"valid": True}})
    path = written(tmp_path / "percepts.jsonl", [line()] * 120 + [few] * 20 + [line(truth=None)] * 5)
    (scored,) = read_percepts(path, LABELS).values()
    assert len(scored.labels) == 120
    assert "left out, since 100 at least are needed: 20 with image + audio" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n", b"[" * 100_000, b'{"truth": ' + b"9" * 5000 + b"}\n", b"1\n"])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "percepts.jsonl").write_bytes(content)
    with pytest.raises(EdgefuseError) as refused:
        read_percepts(tmp_path / "percepts.jsonl", LABELS)
    assert is_one_line(refused.value)


@pytest.mark.fuzz
def test_any_change_to_a_line_is_taken_or_refused_in_one_line(tmp_path: Path) -> None:
    def check(random: Any) -> None:
        lines = [line()] * 110
        lines[50] = mutated_tree(line(), random)
        path = written(tmp_path / "percepts.jsonl", lines)
        if random.random() < 0.3:
            path.write_bytes(mutated(path.read_bytes(), random))
        try:
            for scored in read_percepts(path, LABELS).values():
                assert np.isfinite(scored.scores).all()
                assert scored.scores.min() >= 0
                assert scored.scores.max() <= 1
        except EdgefuseError as error:
            assert is_one_line(error)  # noqa: PT017

    each_round(100, check)
