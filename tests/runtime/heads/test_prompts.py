"""Prompts that name nothing, or the same as another, are refused; those that training hardly knew are said to be so."""

from __future__ import annotations

import itertools
import logging
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from calibrated import bundle_with
from fuzzing import each_round, is_one_line

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Bundle, Clip, Perceiver, PromptError, Text
from edgefuse.runtime.bundle.bundle import described
from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.heads.known_prompts import KNOWN_PROMPTS_FILE
from edgefuse.runtime.streams.clip import sound_beside

NAMES = ("red ball", "green cube", "yellow star", "purple ring", "blue cone", "orange cylinder", "cube", "star")
OTHER_WAYS = ("that {}", "a nice {}", "hold the {}", "pick up the {}", "your {} on the right", "give me the {}")
FOREIGN = (
    "zebra", "horse", "dog", "cat", "elephant", "coffee", "cup", "bottle", "chair", "lamp", "book", "phone",
    "keyboard", "mouse", "computer", "window", "door", "car", "bicycle", "bus", "train", "airplane", "boat",
    "tree", "flower", "grass", "mountain", "river", "cloud", "sun", "moon", "house", "bridge", "road", "person",
    "man", "woman", "child", "face", "shoe", "hat", "shirt", "jacket", "glove", "scarf", "apple", "banana",
    "pear", "grape", "bread", "cheese", "milk", "water", "juice", "egg", "fish", "chicken", "rice", "pasta",
    "soup", "spoon", "fork", "knife", "plate", "bowl", "pan", "oven", "fridge", "sofa", "bed", "pillow",
    "blanket", "carpet", "curtain", "mirror", "clock", "watch", "camera", "television", "radio", "guitar",
    "piano", "drum", "violin", "pen", "pencil", "paper", "scissors", "hammer", "screwdriver", "nail", "saw",
    "ladder", "rope", "bucket", "broom", "umbrella", "bag", "wallet", "key", "coin", "ticket", "newspaper",
    "letter", "stamp", "candle", "match", "truck", "tractor", "helicopter",
)  # fmt: skip


@pytest.fixture(scope="module")
def perceiver() -> Perceiver:
    """Of the default bundle."""
    return Perceiver.open(DEFAULT_BUNDLE, selftest=False)


def heard(perceiver: Perceiver, stamp_ns: int = 0):
    perceiver.push(Text(perceiver.now_ns(), "a red ball"))
    return perceiver.step()


def test_other_ways_to_say_what_training_knew_are_near(perceiver):
    prompts = [way.format(name) for way in OTHER_WAYS for name in NAMES]
    perceiver.set_prompts(prompts)
    assert perceiver.far_prompts == {}
    assert heard(perceiver).far_prompt is False


@pytest.mark.parametrize("way", ["a {}", "the {}", "a red {}", "something {}"])
def test_words_that_training_never_met_are_far(perceiver, way):
    prompts = [way.format(word) for word in FOREIGN]
    perceiver.set_prompts(prompts)
    assert len(perceiver.far_prompts) >= 0.95 * len(prompts)


def test_a_far_prompt_is_said_in_one_line(perceiver, caplog):
    with caplog.at_level(logging.WARNING, logger="edgefuse"):
        perceiver.set_prompts(["a zebra", "a red ball"])
    (said,) = [record.getMessage() for record in caplog.records]
    assert is_one_line(said)
    assert said.startswith("the prompt 'a zebra' is far from all that training knew: 0.")
    assert "the word 'zebra' is not known, but read in 5 pieces" in said
    assert perceiver.far_prompts == {"a zebra": said}


def test_a_percept_says_whether_its_own_label_is_far(perceiver):
    perceiver.set_prompts(["a zebra"])
    clip = Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False)
    percepts = list(perceiver.perceive(clip))
    assert {(percept.label, percept.far_prompt) for percept in percepts} == {("a zebra", True), ("nothing", False)}
    assert percepts[0].as_json()["far_prompt"] is False


def test_a_bundle_that_does_not_say_what_training_knew_says_nothing(tmp_path, caplog):
    perceiver = Perceiver.open(bundle_with(tmp_path / "bundle"), ["a zebra"])
    assert (perceiver.far_prompts, heard(perceiver).far_prompt) == ({}, None)
    assert not caplog.records


def test_only_the_bundles_own_prompts_are_certain_or_not(perceiver):
    perceiver.set_prompts(["a red ball", "a green cube"])
    assert heard(perceiver).certain is None
    perceiver.set_prompts([])
    assert heard(perceiver).certain is not None
    perceiver.set_prompts(list(reversed(perceiver.bundle.manifest.labels.values())))
    assert heard(perceiver).certain is not None, "the same classes in another order"


def test_confidence_with_other_prompts_is_the_networks_own_score(perceiver):
    texts = ["a red ball", "a green cube"]
    perceiver.set_prompts(texts)
    uncalibrated = Perceiver.open(DEFAULT_BUNDLE, texts, confidence=None)
    percept, other = heard(perceiver), heard(uncalibrated)
    assert percept.confidence == pytest.approx(other.confidence)
    assert percept.confidence == max(percept.scores.values())


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        (["a red ball", "A red  BALL"], "the prompts 'a red ball' and 'A red  BALL' are the same to the network's tok"),
        (["a réd ball", "a red ball"], "the prompts 'a réd ball' and 'a red ball' are the same"),
        (["Nothing"], "the prompts 'Nothing' and 'nothing' are the same"),
        (["an umbrella stand of brass and very white porcelain"], "cut after 'ss and very white po': it is 39 tokens"),
        (["red " * 32 + "cube"], "cut after ' red red red red red': it is 33 tokens long, and the network reads 32"),
        (["日本"], "the prompt '日本' holds nothing that the network's tokenizer knows"),
        (["\u0301"], r"the prompt '.' holds nothing"),
        (["\x00\n"], r"the prompt '\\x00\\n' holds nothing"),
        (["a \ud800"], "no text in Unicode"),
        (["a\nball", "a\nball"], r"the prompt 'a\\nball' is given twice"),
    ],
)  # fmt: skip
def test_prompts_that_name_nothing_or_the_same_are_refused(perceiver, prompts, said):
    before = perceiver.labels
    with pytest.raises(PromptError, match=said) as refusal:
        perceiver.set_prompts(prompts)
    assert is_one_line(refusal.value)
    assert perceiver.labels == before


def test_a_bundle_whose_own_labels_are_the_same_to_its_tokenizer_is_refused(tmp_path):
    directory = bundle_with(tmp_path / "bundle")
    manifest = Bundle.open(directory).manifest
    manifest.model_copy(update={"labels": manifest.labels | {"red ball": "a Blue BALL"}}).write(directory)
    with pytest.raises(PromptError, match="the prompts 'a Blue BALL' and 'a blue ball' are the same"):
        Perceiver.open(directory)


def test_known_prompts_of_another_network_are_refused(tmp_path):
    directory = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    path, manifest = directory / KNOWN_PROMPTS_FILE, Bundle.open(directory).manifest
    known = path.read_text()
    for content, said in (
        (known.replace('"pieces":1', '"pieces":0'), "pieces: Input should be greater than 0"),
        ("{", "is no JSON"),
        (known[: known.index('"prompts"')] + '"prompts":[{"text":"a","embedding":[1.0]}]}', "have 1 numbers"),
    ):
        path.write_text(content)
        manifest.model_copy(update={"files": manifest.files | {path.name: described(path)}}).write(directory)
        with pytest.raises(CalibrationError, match=said) as refusal:
            Perceiver.open(directory)
        assert is_one_line(refusal.value)


ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz ", " red green ball cube star a the", "äöüßéçñ ", "日本語中文한국어 ", "😀👩‍👩‍👧🇩🇪 ",
    "\x00\x01\x07\x1b\x7f\x85\u2028\u2029\n\r\t", "\u0300\u0301\u200b\u200d\ufeff\u202e", "[/]bold#*`_{}\\\"'",
    "\ud800\udfff",
)  # fmt: skip


def any_prompt(random: Random) -> str:
    """Text of one to three alphabets, or of any characters at all, mostly short."""
    length = random.choice((0, 1, 1, 2, 5, 12, 40, 499, 500, 501))
    if random.random() < 0.3:
        return "".join(chr(random.randrange(0x110000)) for _ in range(length))
    letters = "".join(random.sample(ALPHABETS, random.randrange(1, 4)))
    return "".join(random.choice(letters) for _ in range(length))


def refused(perceiver: Perceiver, prompts: list[str]) -> str | None:
    """The sentence that says why; None where they are taken."""
    try:
        perceiver.set_prompts(prompts)
    except PromptError as refusal:
        return str(refusal)
    return None


@pytest.mark.fuzz
def test_any_prompt_is_taken_or_refused_in_one_line(perceiver):
    def check(random: Random) -> None:
        prompts = [any_prompt(random) for _ in range(random.choice((1, 1, 2, 5)))]
        before = perceiver.labels
        if (refusal := refused(perceiver, prompts)) is not None:
            assert is_one_line(refusal), repr(refusal)
            assert refusal.isprintable(), repr(refusal)
            assert perceiver.labels == before
            return
        assert perceiver.labels[: len(prompts)] == tuple(prompts)
        assert all(is_one_line(said) and said.isprintable() for said in perceiver.far_prompts.values())
        percept = heard(perceiver)
        assert np.isfinite([percept.confidence, *percept.scores.values()]).all()
        assert percept.certain is None

    each_round(150, check)


def test_the_first_prompts_of_a_clip_are_the_same_as_before():
    """What a bundle says with its own prompts does not depend on whether others were named in between."""
    perceiver = Perceiver.open(DEFAULT_BUNDLE, ["a zebra"])
    perceiver.set_prompts([])
    streams = [Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False) for _ in range(2)]
    found = [
        [percept.as_json() | {"trace": None} for percept in itertools.islice(one.perceive(stream), 30)]
        for one, stream in zip((perceiver, Perceiver.open(DEFAULT_BUNDLE)), streams, strict=True)
    ]
    assert found[0] == found[1]
