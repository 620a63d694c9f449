"""Documents from outside: what is taken, and what is refused in one line before memory is taken for it."""

import json
import os

import pytest
import yaml
from fuzzing import each_round, is_one_line, mutated, mutated_tree

from edgefuse.runtime.errors import FileError
from edgefuse.runtime.files.documents import read_bytes, read_json, read_text, read_yaml

CONTENT = {"name": "door", "size": [640, 480], "rate_hz": 15.5, "inner": {"of": None, "is": True}}


def lines_of_laughs() -> str:
    """9 lines of YAML that stand for 10^9 words."""
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' stands twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "7" * 5_000 + "]", "no JSON that can be used"),
        ("{", "no JSON that can be used"),
        ("", "no JSON that can be used"),
    ],
)
def test_json_that_cannot_be_used(tmp_path, text, said):
    path = tmp_path / "it.json"
    path.write_text(text)
    with pytest.raises(FileError, match=said) as refusal:
        read_json(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lines_of_laughs(), "aliases"),
        ("a: &a [*a]", "aliases"),
        ("a: 1\nb: 2\na: 3\n", "a key stands twice"),
        ("[" * 5_000, "no YAML that can be used"),
        ("a: " + "7" * 5_000, "no YAML that can be used"),
        ("a: !!python/object/apply:os.system [ls]", "no YAML that can be used"),
        ("{", "no YAML that can be used"),
        ("a: 2001-99-99", "no YAML that can be used"),
    ],
)
def test_yaml_that_cannot_be_used(tmp_path, text, said):
    path = tmp_path / "it.yaml"
    path.write_text(text)
    with pytest.raises(FileError, match=said) as refusal:
        read_yaml(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_no_regular_file_is_not_even_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for path, said in (
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / "endless", "no regular file"),
        (tmp_path, "is no file"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "endless" / "in", "Not a directory"),
    ):
        with pytest.raises(FileError, match=said):
            read_bytes(path)


def test_a_file_larger_than_a_document_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "it.json"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # takes no room on the disk
    with pytest.raises(FileError, match=r"holds 10,000,000,000 bytes.*EDGEFUSE_MAX_DOCUMENT_BYTES raises that"):
        read_json(path)
    path.write_text(json.dumps(CONTENT))
    monkeypatch.setenv("EDGEFUSE_MAX_DOCUMENT_BYTES", "10")
    with pytest.raises(FileError, match="at most 10 are taken"):
        read_json(path)
    monkeypatch.setenv("EDGEFUSE_MAX_DOCUMENT_BYTES", "lots")
    assert read_json(path) == CONTENT


def test_what_is_no_text_says_where(tmp_path):
    (tmp_path / "it.json").write_bytes(b"caf\xe9")
    with pytest.raises(FileError, match="byte 3 is 0xe9"):
        read_text(tmp_path / "it.json")


@pytest.mark.fuzz
@pytest.mark.parametrize(("reader", "write"), [(read_json, json.dumps), (read_yaml, yaml.safe_dump)])
def test_any_document_is_read_or_refused_in_one_line(tmp_path, reader, write):
    path = tmp_path / "it"

    def check(random):
        path.write_bytes(mutated(write(mutated_tree(CONTENT, random)).encode(), random))
        try:
            reader(path)
        except FileError as error:
            assert is_one_line(error)  # noqa: PT017

    each_round(300, check)
