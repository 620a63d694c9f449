"""The file of a result: what was written comes back, and what is damaged is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_results import full_result, result
from pydantic import ValidationError

from edgefuse.bench.errors import BenchError
from edgefuse.bench.report.result import SCHEMA_VERSION, read_result, write_text


def write_damaged(path: Path, where: list[Any], value: object) -> Path:
    """A whole result but for one value, or for one field more or less (None: taken out)."""
    content = json.loads(full_result().model_dump_json())
    *way, last = where
    place = content
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    path.write_text(json.dumps(content))
    return path


def test_everything_comes_back(tmp_path):
    whole = full_result("a <bundle> & its «name»")
    write_text(tmp_path / "result.json", whole.model_dump_json(indent=1))
    assert read_result(tmp_path / "result.json") == whole


def test_an_older_file_without_live_ros_and_notes_is_read(tmp_path):
    content = json.loads(result().model_dump_json())
    for later in ("live", "ros", "notes"):
        del content[later]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert read_result(tmp_path / "old.json") == result()


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (["schema_version"], SCHEMA_VERSION + 1, "schema_version: Input should be 2"),
        (["host"], None, "host: Field required"),
        (["colour"], "red", "colour: Extra inputs are not permitted"),
        (["host", "cores"], "many", "host.cores: Input should be a valid integer"),
        (
            ["engines", 0, "latency_ms", "curve"],
            [1.0],
            "engines.0.latency_ms.curve: Tuple should have at least 101 items",
        ),
        (["engines", 0, "latency_ms", "rounds"], [], "engines.0.latency_ms.rounds: Tuple should have at least 1 item"),
        (["pipelines", 1, "held_hz"], "fast", "pipelines.1.held_hz: Input should be a valid number"),
        (["variants", "fused"], "never", "variants.fused: Input should be 'lead' or 'any'"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_the_field(tmp_path, where, value, said):
    path = write_damaged(tmp_path / "damaged.json", where, value)
    with pytest.raises(BenchError) as refusal:
        read_result(path)
    line = str(refusal.value)
    assert line.startswith(f"{path} is no result of `edgefuse bench --json`: {said}")
    assert "\n" not in line


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_what_is_no_result_at_all_is_one_line(tmp_path, content):
    (tmp_path / "other.json").write_bytes(content)
    with pytest.raises(BenchError, match="result of") as refusal:
        read_result(tmp_path / "other.json")
    assert "\n" not in str(refusal.value)


def test_half_a_file_is_refused(tmp_path):
    text = full_result().model_dump_json()
    (tmp_path / "half.json").write_text(text[: len(text) // 2])
    with pytest.raises(BenchError, match="result of"):
        read_result(tmp_path / "half.json")


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(BenchError, match="is no file"):
        read_result(tmp_path)


def test_a_result_cannot_be_changed_by_mistake():
    with pytest.raises(ValidationError, match="frozen"):
        result().power = "none"  # type: ignore[misc]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_text(path, "the old one")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BenchError, match=r"result\.json cannot be written: No space left on device"):
        write_text(path, "the new one")
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert path.read_text() == "the old one"


def test_an_old_file_is_replaced_whole(tmp_path):
    path = tmp_path / "result.json"
    write_text(path, "x" * 10_000)
    write_text(path, full_result().model_dump_json())
    assert read_result(path) == full_result()
