"""A tokenizer takes what it should of time and memory, or is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import is_one_line
from sealed import edit

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, BundleError, Perceiver, PromptError, Text
from edgefuse.runtime.senses.tokenizer import open_tokenizer, token_ids

Change = Callable[[dict[str, Any]], object]
DOUBLING = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}


def bundle_with(directory: Path, change: Change) -> Path:
    """The default bundle with a tokenizer that was changed."""
    shutil.copytree(DEFAULT_BUNDLE, directory)
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    change(tokenizer)
    path.write_text(json.dumps(tokenizer))
    return edit(directory, lambda manifest: None)


def padded(**sizes: Any) -> Change:
    return lambda tokenizer: tokenizer["padding"].update(sizes)


def split_at(regex: str) -> Change:
    step = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    steps = [{"type": "WhitespaceSplit"}, step]
    return lambda tokenizer: tokenizer.update(pre_tokenizer={"type": "Sequence", "pretokenizers": steps})


def led_by(count: int) -> Change:
    special = {"[CLS]": {"id": "[CLS]", "ids": [1] * count, "tokens": ["[CLS]"] * count}}
    pieces = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    step = {"type": "TemplateProcessing", "single": pieces, "pair": pieces, "special_tokens": special}
    return lambda tokenizer: tokenizer.update(post_processor=step)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (padded(strategy={"Fixed": 10**9}), "a text is 1,000,000,000 tokens by it"),
        (padded(pad_to_multiple_of=10**9), "a text is 1,000,000,000 tokens by it"),
        (lambda t: t["truncation"].update(max_length=10**9), "a text is 1,000,000,000 tokens by it"),
        (split_at("(a+)+$"), "has a repetition within a repetition, '(a+)+$'"),
        (split_at(r"x|(?:\w*y)*"), "has a repetition within a repetition"),
        (lambda t: t.update(normalizer={"type": "Sequence", "normalizers": [DOUBLING] * 28}), "times as long"),
        (lambda t: t.update(normalizer=DOUBLING | {"content": "a" * 50_000}), "times as long"),
        (lambda t: t.update(normalizer={"type": "Prepend", "prepend": "x" * 10**6}), "characters"),
        (led_by(100_000), "its post_processor is described in"),
        (lambda t: t["model"]["vocab"].update(red=-1), "is no tokenizer: invalid value"),
        (lambda t: t.update(model={"type": "Nothing"}), "is no tokenizer"),
    ],
)
def test_what_makes_much_of_little_is_refused(tmp_path: Path, change: Change, said: str) -> None:
    bundle = Bundle.open(bundle_with(tmp_path / "bundle", change))
    with pytest.raises(BundleError) as refused:
        open_tokenizer(bundle)
    assert said in str(refused.value)
    assert is_one_line(refused.value)


@pytest.mark.parametrize(
    "regex",
    [
        r"<\|startoftext\|>|'s|'t|'re|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
        r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ],
    ids=["CLIP", "Llama 3"],
)
def test_what_known_tokenizers_split_at_is_taken(tmp_path: Path, regex: str) -> None:
    assert open_tokenizer(Bundle.open(bundle_with(tmp_path / "bundle", split_at(regex)))) is not None


def test_a_text_that_the_library_gives_up_on_is_refused_and_counted(tmp_path: Path) -> None:
    """It panics, by what is no Exception, which would end a stream's thread."""
    perceiver = Perceiver.open(bundle_with(tmp_path / "bundle", split_at("(a|aa)+$")), selftest=False, confidence=None)
    assert not perceiver.push(Text(0, "a" * 60 + "b"))
    assert perceiver.drops()["text"] == {"malformed": 1}
    assert perceiver.push(Text(1, "a red ball"))


def test_a_prompt_that_has_no_tokens() -> None:
    with pytest.raises(PromptError, match="half of a pair of surrogates") as refused:
        Perceiver.open(DEFAULT_BUNDLE, prompts=["a \ud800 ball"], selftest=False)
    assert is_one_line(refused.value)


def test_an_overlap_of_what_is_cut_changes_nothing(tmp_path: Path) -> None:
    """Longer than what is kept, it was a panic of the library."""
    overlapping = bundle_with(tmp_path / "bundle", lambda t: t["truncation"].update(max_length=2, stride=5))
    tokenizer = open_tokenizer(Bundle.open(overlapping))
    assert tokenizer is not None
    assert (token_ids(tokenizer, ["a red ball " * 40] * 100, 8)[:, :3] > 0).sum(axis=1).tolist() == [2] * 100
